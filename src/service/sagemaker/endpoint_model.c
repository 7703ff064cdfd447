/* Models on disk: HOME/endpoints/models/HASH holds an unpacked archive, HASH being that of its bytes, so that all
 * variants and updates that serve the same model share it.  It is unpacked beside and renamed, so what is there is
 * complete. */

#include "service/sagemaker/hosting.h"

#include "aws/digest.h"
#include "base/file.h"
#include "format/targz.h"
#include "service/s3/objects.h"
#include "service/sagemaker/training.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

enum { MODEL_OBJECTS_MAX = 100000, HASH_PIECE = 1 << 20 };

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    remove(path);
    return 0;
}

static void remove_tree(const char *path)
{
    nftw(path, remove_entry, 32, FTW_DEPTH | FTW_PHYS);
}

static bool hash_file(const char *path, char ret_hex[static 65], Error *err)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return error_sys(err, errno, "open '%s'", path);
    char *piece = malloc(HASH_PIECE);
    if (!piece) return error_set(err, ERROR_NO_MEMORY, "no memory to read a model");
    Digest digest;
    digest_init(&digest, DIGEST_SHA256);
    ssize_t n;
    while ((n = read(fd, piece, HASH_PIECE)) > 0) digest_add(&digest, (Str){piece, (size_t)n});
    int code = errno;
    free(piece);
    uint8_t bytes[DIGEST_BYTES_MAX];
    digest_end(&digest, bytes);
    hex_write(bytes, 32, ret_hex);
    ret_hex[64] = 0;
    return n == 0 || error_sys(err, code, "reading '%s'", path);
}

/* The final folder; *ret_made false when it has to be filled first, at *ret_temporary. */
static bool model_folder(Server *server, const char *hash, bool program, Arena *arena,
                         const char **ret_folder, const char **ret_temporary, bool *ret_made,
                         Error *err)
{
    const char *models = path_join(arena, server->options->home, "endpoints/models");
    const char *name = arena_format(arena, "%s%s", program ? "program-" : "", hash).ptr;
    *ret_folder = path_join(arena, models, name);
    *ret_made = folder_exists(*ret_folder);
    if (*ret_made) return true;
    if (!folder_make(models, err)) return false;
    char *temporary = path_join(arena, models, ".new-XXXXXX");
    if (!mkdtemp(temporary)) return error_sys(err, errno, "making a folder in '%s'", models);
    *ret_temporary = temporary;
    return true;
}

static int make_executable(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)ftw;
    return type == FTW_F ? chmod(path, 0755) : 0;
}

/* Another thread may have been faster: its folder is as good. */
static bool model_rename(const char *temporary, const char *folder, bool program, Error *err)
{
    /* Objects have no permissions: all that could be a program is one. */
    if (program) nftw(temporary, make_executable, 32, FTW_PHYS);
    if (chmod(temporary, 0755) == 0 && rename(temporary, folder) == 0) return true;
    int code = errno;
    remove_tree(temporary);
    return folder_exists(folder) || error_sys(err, code, "renaming to '%s'", folder);
}

static bool fetch_archive(Server *server, const S3Object *object, Str uri, bool program,
                          Arena *arena, const char **ret_folder, Error *err)
{
    const char *path = arena_cstr(arena, object->path), *temporary = NULL;
    char hash[65];
    bool made;
    if (!hash_file(path, hash, err) ||
        !model_folder(server, hash, program, arena, ret_folder, &temporary, &made, err))
        return false;
    if (made) return true;
    if (!targz_unpack(path, temporary, 0, err)) {
        remove_tree(temporary);
        return error_in(err, "Failed to extract model data archive from URL \"%.*s\"",
                        STR_ARG(uri));
    }
    return model_rename(temporary, *ret_folder, program, err);
}

/* `program`: its mode will be changed, so it must not be the store's own file. */
static bool copy_object(const char *from, const char *to, bool program, Error *err)
{
    if (!program && link(from, to) == 0) return true;
    AUTO_FD int in = open(from, O_RDONLY | O_CLOEXEC);
    AUTO_FD int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (in < 0 || out < 0) return error_sys(err, errno, "copying '%s' to '%s'", from, to);
    ssize_t n;
    while ((n = sendfile(out, in, NULL, 1 << 30)) > 0) {
    }
    return n == 0 || error_sys(err, errno, "copying '%s' to '%s'", from, to);
}

/* Keys come from outside: no part of one may lead out of the folder. */
static bool safe_path(Str path)
{
    Str part;
    while (str_next(&path, '/', &part))
        if (!part.len || str_is(part, ".") || str_is(part, "..") || memchr(part.ptr, 0, part.len))
            return false;
    return true;
}

/* ModelDataSource with uncompressed objects below a prefix. */
static bool fetch_prefix(Server *server, Str bucket, Str prefix, bool program, Arena *arena,
                         const char **ret_folder, Error *err)
{
    S3Object *objects;
    size_t n;
    if (!s3_list(server, bucket, prefix, MODEL_OBJECTS_MAX, arena, &objects, &n, err)) return false;
    if (!n) return error_set(err, ERROR_NOT_FOUND, "there is no object below it");
    Digest digest;
    digest_init(&digest, DIGEST_SHA256);
    for (size_t i = 0; i < n; i++) {
        digest_add(&digest, objects[i].key);
        digest_add(&digest, (Str){"", 1});
        digest_add(&digest, objects[i].etag);
        digest_add(&digest, objects[i].path);
    }
    uint8_t bytes[DIGEST_BYTES_MAX];
    digest_end(&digest, bytes);
    const char *temporary = NULL;
    bool made;
    if (!model_folder(server, hex_text(arena, bytes, 32).ptr, program, arena, ret_folder,
                      &temporary, &made, err))
        return false;
    for (size_t i = 0; !made && i < n; i++) {
        Str rest = str_from(objects[i].key, prefix.len);
        while (rest.len && rest.ptr[0] == '/') rest = str_from(rest, 1);
        if (!rest.len || rest.ptr[rest.len - 1] == '/') continue;
        char *to = path_join(arena, temporary, arena_cstr(arena, rest));
        char *slash = strrchr(to, '/');
        bool ok = safe_path(rest) || error_set(err, ERROR_INVALID, "key '%.*s' is no file name",
                                               STR_ARG(objects[i].key));
        *slash = 0;
        ok = ok && folder_make(to, err);
        *slash = '/';
        ok = ok && copy_object(arena_cstr(arena, objects[i].path), to, program, err);
        if (!ok) {
            remove_tree(temporary);
            return false;
        }
    }
    return made || model_rename(temporary, *ret_folder, program, err);
}

static bool fetch_model(Server *server, const Json *container, bool program, Arena *arena,
                        const char **ret_folder, Error *err)
{
    const Json *source = json_path(container, "ModelDataSource.S3DataSource");
    Str uri = source ? json_get_text(source, "S3Uri") : json_get_text(container, "ModelDataUrl");
    bool prefix = source && str_is(json_get_text(source, "CompressionType"), "None");
    Str bucket, key;
    S3Object object;
    *ret_folder = NULL;
    if (!uri.ptr) return true;
    bool ok = s3_address(uri, &bucket, &key) ||
              error_set(err, ERROR_INVALID, "it is no address of the form s3://bucket/key");
    if (ok && prefix) ok = fetch_prefix(server, bucket, key, program, arena, ret_folder, err);
    if (ok && !prefix) {
        ok = s3_find(server, bucket, key, arena, &object, err);
        if (ok) return fetch_archive(server, &object, uri, program, arena, ret_folder, err);
    }
    if (ok) return true;
    Error why = *err;
    return error_set(
        err, ERROR_INVALID,
        "Failed to download model data for container \"container_1\" from URL: \"%.*s\" (%s). "
        "Please ensure that there is an object located at the URL and that the role passed to "
        "CreateModel has permissions to download the object.",
        STR_ARG(uri), why.text);
}

/* A tree like fetch_model's argument for an address of its own: an archive, or a prefix. */
static Json *address_only(Arena *arena, Str uri)
{
    Json *source = json_new_object(arena);
    json_set_text(arena, source, "ModelDataUrl", uri);
    if (!str_ends(uri, STR(".tar.gz")) && !str_ends(uri, STR(".tgz"))) {
        Json *s3 = json_new_object(arena), *data = json_new_object(arena);
        json_set_text(arena, s3, "S3Uri", uri);
        json_set_text(arena, s3, "CompressionType", STR("None"));
        json_set(arena, data, "S3DataSource", s3);
        json_set(arena, source, "ModelDataSource", data);
    }
    return source;
}

/* The folder with the user's script: what SAGEMAKER_SUBMIT_DIRECTORY names in S3, else code/ of the model, else the
 * model's folder. */
static bool prepare_script(Server *server, const Json *environment, Str module, Str image,
                           const char *folder, Arena *arena, Json *plan, Error *err)
{
    Str script = json_get_text(environment, "SAGEMAKER_PROGRAM"),
        from = json_get_text(environment, "SAGEMAKER_SUBMIT_DIRECTORY");
    const char *code = folder;
    Python python;
    if (!script.len)
        return error_set(
            err, ERROR_INVALID,
            "Image \"%.*s\" runs an inference script, but the model's environment variable "
            "SAGEMAKER_PROGRAM does not name one",
            STR_ARG(image));
    if (!find_python(server, &python, err)) return false;
    bool there = module.len == 0;
    for (size_t i = 0; python.modules && i < python.modules->n; i++)
        there |= str_eq(json_at(python.modules, i)->text, module);
    if (!there)
        return error_set(
            err, ERROR_NOT_FOUND,
            "Image \"%.*s\" needs the Python module '%.*s', which '%.*s' on this machine does not "
            "have; install it there, or name another Python by CLARY_PYTHON",
            STR_ARG(image), STR_ARG(module), STR_ARG(python.program));
    if (str_starts(from, STR("s3://"))) {
        if (!fetch_model(server, address_only(arena, from), false, arena, &code, err)) return false;
    } else if (folder && folder_exists(path_join(arena, folder, "code"))) {
        code = path_join(arena, folder, "code");
    }
    if (!code || !safe_path(script) ||
        !file_exists(path_join(arena, code, arena_cstr(arena, script))))
        return error_set(err, ERROR_NOT_FOUND, "The inference script '%.*s' is not in '%.*s'",
                         STR_ARG(script), STR_ARG(from.len ? from : STR("the model's archive")));
    json_set_text(arena, plan, "Code", str_of(code));
    return true;
}

bool model_prepare(Server *server, const Json *container, Arena *arena, Json **ret_plan, Error *err)
{
    Str uri = json_get_text(container, "Image");
    Image image = image_find(uri);
    const Json *environment = json_get(container, "Environment");
    const char *folder, *program = NULL;
    bool script = image.kind == IMAGE_SCRIPT ||
                  (image.kind == IMAGE_BUILT_IN && json_get(environment, "SAGEMAKER_PROGRAM"));
    Json *plan = json_new_object(arena);
    if (image.kind == IMAGE_FOREIGN)
        return error_set(err, ERROR_INVALID,
                         "Image \"%.*s\" needs a container runtime, and there is none",
                         STR_ARG(uri));
    if (!fetch_model(server, container, false, arena, &folder, err)) return false;
    if (!folder && image.kind == IMAGE_BUILT_IN)
        return error_set(err, ERROR_INVALID, "Algorithm %.*s needs ModelDataUrl",
                         STR_ARG(image.name));
    if (script && !prepare_script(server, environment, image.name, uri, folder, arena, plan, err))
        return false;
    if (image.kind == IMAGE_PROGRAM &&
        !fetch_model(server, address_only(arena, uri), true, arena, &program, err))
        return false;
    if (program && !file_exists(path_join(arena, program, "serve")))
        return error_set(err, ERROR_NOT_FOUND, "Program \"%.*s\" has no executable named 'serve'",
                         STR_ARG(uri));
    json_set_text(arena, plan, "Kind",
                  script    ? STR("script")
                  : program ? STR("program")
                            : STR("built-in"));
    if (!script && !program) json_set_text(arena, plan, "Algorithm", image.name);
    if (folder) json_set_text(arena, plan, "Folder", str_of(folder));
    if (program) json_set_text(arena, plan, "Program", str_of(program));
    json_set(arena, plan, "Environment", environment);
    *ret_plan = plan;
    return true;
}

/* ---- sweeping ---- */

static bool plan_uses(const Json *plan, Str name)
{
    static const char *const members[] = {"Folder", "Program", "Code"};
    const Json *containers = json_get(plan, "Containers");
    for (size_t i = 0; containers && i < containers->n; i++)
        for (size_t k = 0; k < COUNT(members); k++) {
            Str folder = json_get_text(json_at(containers, i), members[k]);
            if (folder.ptr && str_ends(folder, name)) return true;
        }
    return false;
}

static bool fleet_uses(const Fleet *fleet, Str name)
{
    for (size_t i = 0; fleet && i < fleet->n_variants; i++)
        if (plan_uses(fleet->variants[i].plan, name)) return true;
    return false;
}

void models_sweep(Hosting *hosting)
{
    ARENA(arena);
    const char *models = path_join(&arena, hosting->home, "models");
    DIR *folder = opendir(models);
    if (!folder) return;
    for (struct dirent *entry; (entry = readdir(folder));) {
        Str name = str_of(entry->d_name);
        if (str_is(name, ".") || str_is(name, "..")) continue;
        char *trash = path_join(&arena, models, arena_format(&arena, ".old-%s", entry->d_name).ptr);
        pthread_mutex_lock(&hosting->mutex);
        bool used = hosting->preparing > 0;
        for (RunningEndpoint *e = hosting->endpoints; e && !used; e = e->next)
            used = fleet_uses(e->current, name) || fleet_uses(e->coming, name);
        bool drop = !used && rename(path_join(&arena, models, entry->d_name), trash) == 0;
        pthread_mutex_unlock(&hosting->mutex);
        if (drop) remove_tree(trash);
    }
    closedir(folder);
}
