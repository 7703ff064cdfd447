/* Models: an image, an archive, an environment.  Nothing happens when one is made: as at AWS, an archive or role that
 * does not exist fails the endpoint later. */

#include "service/sagemaker/sagemaker.h"

/* ---- images ---- */

typedef struct Repository {
    const char *repository, *name;
    ImageKind kind;
} Repository;

static const Repository repositories[] = {
    {"linear-learner", "linear-learner", IMAGE_BUILT_IN},
    {"kmeans", "kmeans", IMAGE_BUILT_IN},
    {"knn", "knn", IMAGE_BUILT_IN},
    {"pca", "pca", IMAGE_BUILT_IN},
    {"factorization-machines", "factorization-machines", IMAGE_BUILT_IN},
    {"ntm", "ntm", IMAGE_BUILT_IN},
    {"object2vec", "object2vec", IMAGE_BUILT_IN},
    {"ipinsights", "ipinsights", IMAGE_BUILT_IN},
    {"randomcutforest", "randomcutforest", IMAGE_BUILT_IN},
    {"lda", "lda", IMAGE_BUILT_IN},
    {"forecasting-deepar", "deepar", IMAGE_BUILT_IN},
    {"blazingtext", "blazingtext", IMAGE_BUILT_IN},
    {"image-classification", "image-classification", IMAGE_BUILT_IN},
    {"object-detection", "object-detection", IMAGE_BUILT_IN},
    {"semantic-segmentation", "semantic-segmentation", IMAGE_BUILT_IN},
    {"seq2seq", "seq2seq", IMAGE_BUILT_IN},
    {"xgboost", "xgboost", IMAGE_BUILT_IN},
    {"sagemaker-xgboost", "xgboost", IMAGE_BUILT_IN},
    {"sagemaker-scikit-learn", "sklearn", IMAGE_SCRIPT},
    {"sagemaker-base-python", "", IMAGE_SCRIPT},
    {"pytorch-inference", "torch", IMAGE_SCRIPT},
    {"pytorch-training", "torch", IMAGE_SCRIPT},
    {"tensorflow-inference", "tensorflow", IMAGE_SCRIPT},
    {"huggingface-pytorch-inference", "transformers", IMAGE_SCRIPT},
};

Image image_find(Str uri)
{
    if (str_starts(uri, STR("s3://"))) return (Image){IMAGE_PROGRAM, uri, STR("")};
    Str repository = uri, tag = STR("");
    for (size_t i = uri.len; i-- > 0;)
        if (uri.ptr[i] == '/') {
            repository = str_from(uri, i + 1);
            break;
        }
    size_t digest = str_find(repository, '@'), colon = str_find(repository, ':');
    if (digest < repository.len) repository.len = digest;
    if (colon < repository.len) {
        tag = str_from(repository, colon + 1);
        repository.len = colon;
    }
    bool ours = str_starts(uri, STR("clary/")) ||
                repository.ptr == uri.ptr; /* "clary/deepar", "deepar" */
    for (size_t i = 0; i < COUNT(repositories); i++)
        if (str_is(repository, repositories[i].repository) ||
            (ours && repositories[i].kind == IMAGE_BUILT_IN &&
             str_is(repository, repositories[i].name)))
            return (Image){repositories[i].kind, str_of(repositories[i].name), tag};
    return (Image){IMAGE_FOREIGN, repository, tag};
}

/* ---- operations ---- */

static bool check_container(Call *call, const Json *container, Error *err)
{
    Str image = json_get_text(container, "Image");
    const Json *source = json_path(container, "ModelDataSource.S3DataSource");
    if (str_is(json_get_text(container, "Mode"), "MultiModel"))
        return call_error(
            call, err, "ValidationException",
            "Mode MultiModel is not served by clary; create one model per archive, or "
            "several variants");
    if (json_get(container, "ModelPackageName"))
        return call_error(
            call, err, "ValidationException",
            "ModelPackageName is not served by clary yet; name Image and ModelDataUrl");
    if (!image.len)
        return call_error(call, err, "ValidationException",
                          "A container needs an Image or a ModelPackageName");
    if (json_get(container, "ModelDataUrl") && source)
        return call_error(call, err, "ValidationException",
                          "Both ModelDataUrl and ModelDataSource cannot be specified");
    Image found = image_find(image);
    if (found.kind == IMAGE_FOREIGN)
        return call_error(
            call, err, "ValidationException",
            "Image '%.*s' is none of SageMaker's built-in algorithms and frameworks, and "
            "clary has no container runtime here; a program that keeps to SageMaker's "
            "container contract can be named as s3://BUCKET/PROGRAM.tar.gz",
            STR_ARG(image));
    return true;
}

static bool create_model(Call *call, Resource *model, Error *err)
{
    const Json *primary = json_get(call->in, "PrimaryContainer"),
               *containers = json_get(call->in, "Containers");
    if (!primary == !containers)
        return call_error(call, err, "ValidationException",
                          primary ? "Cannot specify both PrimaryContainer and Containers"
                                  : "Either PrimaryContainer or Containers must be specified");
    if (primary && !check_container(call, primary, err)) return false;
    if (containers && (!containers->n || containers->n > MODEL_CONTAINERS_MAX))
        return call_error(call, err, "ValidationException", "A model has from 1 to %d containers",
                          MODEL_CONTAINERS_MAX);
    const Json *execution = json_get(call->in, "InferenceExecutionConfig");
    if (containers && str_is(json_get_text(execution, "Mode"), "Direct"))
        return call_error(
            call, err, "ValidationException",
            "Containers that are invoked directly are not served by clary: make one model of "
            "each");
    for (size_t i = 0; containers && i < containers->n; i++)
        if (!check_container(call, json_at(containers, i), err)) return false;
    if (!json_get(model->document, "EnableNetworkIsolation"))
        json_set_bool(call->arena, model->document, "EnableNetworkIsolation", false);
    /* What SageMaker adds to a container that does not say it. */
    Json *one = (Json *)(uintptr_t)json_get(model->document, "PrimaryContainer");
    if (one && !json_get(one, "Mode")) json_set_text(call->arena, one, "Mode", STR("SingleModel"));
    return true;
}

const ResourceKind model_kind = {
    .service = "sagemaker",
    .name = "model",
    .title = "model",
    .id = "ModelName",
    .arn = "ModelArn",
    .created_at = "CreationTime",
    .list = "Models",
    .missing_code = "ValidationException",
    .missing_message = "Could not find model \"%.*s\".",
    .exists_code = "ValidationException",
    .exists_message = "Cannot create already existing model \"%.*s\".",
    .create = create_model,
};

#define MODEL "arn:aws:sagemaker:{region}:{account}:model/{ModelName}"

const ServiceOperation model_operations[] = {
    {"CreateModel", resource_handle_create, &model_kind, MODEL, NULL, OPERATION_WRITES},
    {"DescribeModel", resource_handle_describe, &model_kind, MODEL, NULL, 0},
    {"ListModels", resource_handle_list, &model_kind, "*", NULL, 0},
    {"DeleteModel", resource_handle_delete, &model_kind, MODEL, NULL, OPERATION_WRITES},
    {0},
};
