#ifndef CLARY_SERVICE_SAGEMAKER_SAGEMAKER_H
#define CLARY_SERVICE_SAGEMAKER_SAGEMAKER_H

/* The control plane of SageMaker: what its files share. */

#include "service/resource.h"

extern const Service sagemaker_service, sagemaker_runtime_service;
extern const ServiceOperation tag_operations[], search_operations[]; /* tags.c, search.c */

bool sagemaker_open(Server *server,
                    Error *err); /* the resource engine; before training and hosting */
void sagemaker_close(Server *server);

/* ---- models (model.c) ---- */

extern const ResourceKind model_kind;
extern const ServiceOperation model_operations[];

enum { MODEL_CONTAINERS_MAX = 15 };

/* What runs behind an image's name (aws-clients.md section 5): the account, region and domain say nothing. */
typedef enum ImageKind {
    IMAGE_BUILT_IN, /* clary-serve; `name` is the algorithm */
    IMAGE_SCRIPT, /* a framework's image: the user's inference script in the host's Python; `name` is the module that must be importable, or empty */
    IMAGE_PROGRAM, /* "s3://bucket/folder" or "s3://bucket/program.tar.gz": a program that keeps to the container contract */
    IMAGE_FOREIGN, /* any other: needs a container runtime */
} ImageKind;

typedef struct Image {
    ImageKind kind;
    Str name, tag;
} Image;

Image image_find(Str uri);

#endif
