/* What a training job's program finds below /opt/ml/input: the channels' data and the configuration.
 *
 * Objects are plain immutable files.  They are linked where the sandbox shows them read-only, else
 * their blocks are shared (reflink), else copied (rule B1).  In Pipe mode a thread per channel
 * feeds a named pipe per epoch. */

#include "service/sagemaker/training.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "format/compress.h"
#include "format/recordio.h"
#include "service/s3/objects.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

enum { COPY_BYTES = 1 << 20, MANIFEST_BYTES_MAX = 64 << 20, PIPE_BYTES = 1 << 20 };
#define FICLONE_ _IOW(0x94, 9, int)

/* An object of a channel and where it goes. */
typedef struct Item {
    S3Object object;
    Str name; /* relative; no "..", no leading '/' */
} Item;

typedef struct Items {
    Item *items;
    size_t n;
} Items;

const char *const input_code_channels[2] = {"code", "sm_drivers"};

/* ---- rights ---- */

bool role_may(TrainingRun *run, const char *action, Str bucket, Str key, Error *err)
{
    ARENA(scratch);
    if (!run->has_role) return true;
    Str resource = arena_format(&scratch, "arn:aws:s3:::%.*s%s%.*s", STR_ARG(bucket),
                                key.len ? "/" : "", STR_ARG(key));
    if (access_permitted(run->server, &run->role, str_of(action), resource, NULL, 0, (Str){0}))
        return true;
    return error_set(err, ERROR_DENIED,
                     "the role %.*s is not authorized to perform: %s on resource: %.*s",
                     STR_ARG(run->role.role_arn), action, STR_ARG(resource));
}

/* An object that the role may read. */
static bool find_object(TrainingRun *run, Str bucket, Str key, S3Object *ret_object, Error *err)
{
    return role_may(run, "s3:GetObject", bucket, key, err) &&
           s3_find(run->server, bucket, key, &run->arena, ret_object, err);
}

bool input_object(TrainingRun *run, Str uri, S3Object *ret_object, Error *err)
{
    Str bucket, key;
    if (!s3_address(uri, &bucket, &key))
        return error_set(err, ERROR_INVALID, "'%.*s' is no S3 address", STR_ARG(uri));
    return find_object(run, bucket, key, ret_object, err);
}

/* ---- names ---- */

/* Keys become paths: only what stays below the channel's folder may. */
static bool safe_name(Str name)
{
    Str rest = name, part;
    if (!name.len || name.len > 1024) return false;
    while (str_next(&rest, '/', &part))
        if (!part.len || str_is(part, ".") || str_is(part, "..") || part.len > 255) return false;
    return memchr(name.ptr, 0, name.len) == NULL && name.ptr[name.len - 1] != '/';
}

/* The key below the prefix: "a/b" of "p/a/b" for the prefixes "p" and "p/"; the last name where the prefix
 * ends within a name. */
static Str name_below(Str key, Str prefix)
{
    size_t cut = prefix.len;
    if (key.len > cut && key.ptr[cut] == '/' && (!cut || prefix.ptr[cut - 1] != '/')) {
        cut++;
    } else if (cut && (cut == key.len || prefix.ptr[cut - 1] != '/')) {
        while (cut > 0 && key.ptr[cut - 1] != '/') cut--;
    }
    while (cut < key.len && key.ptr[cut] == '/') cut++;
    return str_from(key, cut);
}

static void add_item(Arena *arena, Items *items, const S3Object *object, Str name)
{
    if ((items->n & (items->n - 1)) == 0)
        items->items = arena_grow(arena, items->items, items->n, items->n ? 2 * items->n : 1,
                                  sizeof *items->items);
    items->items[items->n++] = (Item){*object, name};
}

static bool find_prefix(TrainingRun *run, Str uri, Items *ret_items, Error *err)
{
    Str bucket, key;
    S3Object *objects;
    size_t n;
    if (!s3_address(uri, &bucket, &key))
        return error_set(err, ERROR_INVALID, "'%.*s' is no S3 address", STR_ARG(uri));
    if (!role_may(run, "s3:ListBucket", bucket, (Str){0}, err) ||
        !s3_list(run->server, bucket, key, TRAINING_OBJECTS_MAX, &run->arena, &objects, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        Str name = name_below(objects[i].key, key);
        /* Folders' markers. */
        if (!name.len || objects[i].key.ptr[objects[i].key.len - 1] == '/') continue;
        if (!role_may(run, "s3:GetObject", bucket, objects[i].key, err)) return false;
        if (!safe_name(name))
            return error_set(err, ERROR_INVALID, "object '%.*s' cannot become a file",
                             STR_ARG(objects[i].key));
        add_item(&run->arena, ret_items, &objects[i], name);
    }
    if (ret_items->n == 0)
        return error_set(err, ERROR_NOT_FOUND,
                         "no objects are at '%.*s': is the bucket or the prefix misspelled?",
                         STR_ARG(uri));
    return true;
}

static bool read_object(TrainingRun *run, Str uri, Str *ret_text, Error *err)
{
    Str bucket, key;
    S3Object object;
    if (!s3_address(uri, &bucket, &key))
        return error_set(err, ERROR_INVALID, "'%.*s' is no S3 address", STR_ARG(uri));
    if (!find_object(run, bucket, key, &object, err) ||
        !file_read(arena_cstr(&run->arena, object.path), MANIFEST_BYTES_MAX, &run->arena, ret_text,
                   err))
        return error_in(err, "'%.*s'", STR_ARG(uri));
    return true;
}

/* [{"prefix": "s3://bucket/some/"}, "a", "b/c"] */
static bool find_manifest(TrainingRun *run, Str uri, Items *ret_items, Str *ret_text, Error *err)
{
    const Json *list;
    Str bucket, base;
    if (!read_object(run, uri, ret_text, err)) return false;
    if (!json_parse(*ret_text, &run->arena, &list, err))
        return error_in(err, "manifest '%.*s'", STR_ARG(uri));
    Str prefix = list->type == JSON_ARRAY && list->n ? json_get_text(json_at(list, 0), "prefix")
                                                     : (Str){0};
    if (!prefix.ptr || !s3_address(prefix, &bucket, &base))
        return error_set(err, ERROR_INVALID,
                         "manifest '%.*s' does not begin with {\"prefix\": \"s3://...\"}",
                         STR_ARG(uri));
    for (size_t i = 1; i < list->n; i++) {
        const Json *entry = json_at(list, i);
        if (entry->type != JSON_STRING)
            return error_set(err, ERROR_INVALID, "manifest '%.*s': entry %zu is no text",
                             STR_ARG(uri), i);
        S3Object object;
        Str key = arena_format(&run->arena, "%.*s%.*s", STR_ARG(base), STR_ARG(entry->text));
        if (!safe_name(entry->text))
            return error_set(err, ERROR_INVALID, "manifest '%.*s': '%.*s' cannot become a file",
                             STR_ARG(uri), STR_ARG(entry->text));
        if (!find_object(run, bucket, key, &object, err))
            return error_in(err, "manifest '%.*s': '%.*s'", STR_ARG(uri), STR_ARG(entry->text));
        add_item(&run->arena, ret_items, &object, entry->text);
    }
    if (ret_items->n == 0)
        return error_set(err, ERROR_NOT_FOUND, "manifest '%.*s' names no objects", STR_ARG(uri));
    return true;
}

/* ---- files ---- */

static bool make_parent(const char *path, Error *err)
{
    ARENA(scratch);
    char *folder = arena_cstr(&scratch, str_of(path));
    *strrchr(folder, '/') = 0;
    return folder_make(folder, err);
}

static bool copy_bytes(int from, int to, const char *path, Error *err)
{
    for (;;) {
        ssize_t n = sendfile(to, from, NULL, 1 << 30);
        if (n == 0) return true;
        if (n < 0 && errno != EINTR) return error_sys(err, errno, "copying to '%s'", path);
    }
}

static bool unpack_bytes(int from, int to, const char *path, Error *err)
{
    AUTO(unpacker_free) Unpacker *unpacker = NULL;
    AUTO_DATA char *in = data_alloc(COPY_BYTES, 1, "a compressed object", err);
    AUTO_DATA char *out = data_alloc(COPY_BYTES, 1, "a compressed object", err);
    if (!in || !out || !unpacker_new(PACKING_GZIP, &unpacker, err)) return false;
    for (;;) {
        ssize_t got = read(from, in, COPY_BYTES);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return error_sys(err, errno, "reading an object");
        if (got == 0) return unpacker_finish(unpacker, err);
        Str rest = {in, (size_t)got};
        for (size_t n = COPY_BYTES; rest.len || n == COPY_BYTES;) {
            if (!unpacker_run(unpacker, &rest, out, COPY_BYTES, &n, err) ||
                !fd_write(to, (Str){out, n}, path, err))
                return false;
        }
    }
}

static bool place_object(const S3Object *object, const char *path, bool may_link, bool unpack,
                         Error *err)
{
    ARENA(scratch);
    const char *from_path = arena_cstr(&scratch, object->path);
    if (!unpack && may_link && link(from_path, path) == 0) return true;
    AUTO_FD int from = open(from_path, O_RDONLY | O_CLOEXEC);
    AUTO_FD int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (from < 0) return error_sys(err, errno, "opening object '%.*s'", STR_ARG(object->key));
    if (to < 0) return error_sys(err, errno, "making '%s'", path);
    if (unpack)
        return unpack_bytes(from, to, path, err) || error_in(err, "'%.*s'", STR_ARG(object->key));
    return ioctl(to, FICLONE_, from) == 0 || copy_bytes(from, to, path, err);
}

static bool place_items(const Items *items, const char *folder, bool may_link, bool unpack,
                        Error *err)
{
    Str parent = {0}; /* of the last one: most objects of a channel share it */
    for (size_t i = 0; i < items->n; i++) {
        ARENA(scratch);
        Str name = items->items[i].name;
        if (unpack && str_ends(name, STR(".gz"))) name.len -= 3;
        const char *path = path_join(&scratch, folder, arena_cstr(&scratch, name));
        size_t slash = name.len;
        while (slash > 0 && name.ptr[slash - 1] != '/') slash--;
        Str mine = str_slice(name, 0, slash);
        if (!parent.ptr || !str_eq(parent, mine)) {
            if (!make_parent(path, err)) return false;
            parent = mine;
        }
        if (!place_object(&items->items[i].object, path, may_link, unpack, err)) return false;
    }
    return true;
}

static bool may_link(void)
{
    unsigned features;
    Error err = {0};
    return sandbox_features(&features, &err) && (features & SANDBOX_NAMESPACES);
}

bool input_fetch(TrainingRun *run, Str uri, const char *folder, bool linked, Error *err)
{
    Items items = {0};
    return find_prefix(run, uri, &items, err) && folder_make(folder, err) &&
           place_items(&items, folder, linked && may_link(), false, err);
}

/* ---- augmented manifests ---- */

/* The attributes of a line, in order: objects for "...-ref", texts for others. */
static bool attribute(TrainingRun *run, const Json *line, Str name, S3Object *ret_object,
                      Str *ret_text, Error *err)
{
    ARENA(scratch);
    const Json *value = json_get(line, arena_cstr(&scratch, name));
    if (!value) return error_set(err, ERROR_INVALID, "attribute '%.*s' is missing", STR_ARG(name));
    *ret_object = (S3Object){0};
    if (!str_ends(name, STR("-ref"))) {
        *ret_text = value->type == JSON_STRING ? value->text : json_text(&run->arena, value);
        return true;
    }
    Str bucket, key;
    if (value->type != JSON_STRING || !s3_address(value->text, &bucket, &key))
        return error_set(err, ERROR_INVALID, "attribute '%.*s' is no S3 address", STR_ARG(name));
    return find_object(run, bucket, key, ret_object, err);
}

/* File mode: manifest.jsonl with the references replaced by names of files beside it. */
static bool place_augmented(TrainingRun *run, const Json *source, Str manifest, const char *folder,
                            Error *err)
{
    const Json *names = json_get(source, "AttributeNames");
    AUTO_STRBUF StrBuf out = STRBUF(MANIFEST_BYTES_MAX);
    Str rest = manifest, text;
    for (int row = 1; str_next_line(&rest, &text); row++) {
        const Json *line;
        if (!str_trim(text).len) continue;
        if (!json_parse(text, &run->arena, &line, err))
            return error_in(err, "manifest line %d", row);
        Json *mine = json_new_object(&run->arena);
        for (size_t i = 0; names && i < names->n; i++) {
            Str name = json_at(names, i)->text, value;
            S3Object object;
            if (!attribute(run, line, name, &object, &value, err))
                return error_in(err, "manifest line %d", row);
            if (object.path.ptr) {
                size_t slash = object.key.len;
                while (slash > 0 && object.key.ptr[slash - 1] != '/') slash--;
                Str file = arena_format(&run->arena, "%d-%.*s", row,
                                        STR_ARG(str_from(object.key, slash)));
                const char *path = path_join(&run->arena, folder, file.ptr);
                if (!safe_name(file) || !place_object(&object, path, may_link(), false, err))
                    return error_in(err, "manifest line %d", row);
                json_set_str(&run->arena, mine, name, json_new_text(&run->arena, file));
            } else {
                json_set_str(&run->arena, mine, name,
                             json_get(line, arena_cstr(&run->arena, name)));
            }
        }
        Str printed = json_text(&run->arena, mine);
        strbuf_add(&out, printed);
        strbuf_add_char(&out, '\n');
    }
    return file_commit(path_join(&run->arena, folder, "manifest.jsonl"), strbuf_str(&out), err);
}

/* ---- pipes ---- */

typedef struct Pipe {
    TrainingRun *run;
    const Json *channel, *source;
    Str name;
    Items items; /* not of augmented manifests */
    Str manifest;
    pthread_t thread;
    struct Pipe *next;
} Pipe;

typedef struct TrainingPipes {
    Pipe *first;
    bool stop;
} TrainingPipes;

static bool pipe_stopped(const Pipe *pipe)
{
    return __atomic_load_n(&pipe->run->pipes->stop, __ATOMIC_ACQUIRE);
}

static const char *pipe_path(const Pipe *pipe, Arena *arena, int epoch)
{
    return arena_format(arena, "%s/input/data/%.*s_%d", pipe->run->folder, STR_ARG(pipe->name),
                        epoch)
        .ptr;
}

/* Waits for a reader; -1 when the run ends before. */
static int pipe_open(const Pipe *pipe, const char *path)
{
    while (!pipe_stopped(pipe)) {
        int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0) {
            fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
            return fd;
        }
        if (errno != ENXIO && errno != EINTR) return -1;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return -1;
}

/* False when the reader went away (that ends the epoch) or the run ended. */
static bool pipe_write(const Pipe *pipe, int fd, Str bytes)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n > 0) {
            bytes = str_from(bytes, (size_t)n);
            continue;
        }
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno != EAGAIN) return false;
        struct pollfd polled = {fd, POLLOUT, 0};
        poll(&polled, 1, 100);
        if (pipe_stopped(pipe) || (polled.revents & POLLERR)) return false;
    }
    return true;
}

static bool pipe_record(const Pipe *pipe, int fd, Str bytes)
{
    static const char zeros[4] = {0};
    uint32_t head[2] = {(uint32_t)RECORDIO_MAGIC, (uint32_t)bytes.len};
    return pipe_write(pipe, fd, (Str){(const char *)head, sizeof head}) &&
           pipe_write(pipe, fd, bytes) &&
           pipe_write(pipe, fd, (Str){zeros, (4 - bytes.len % 4) % 4});
}

static bool wrapped(const Pipe *pipe)
{
    return str_is(json_get_text(pipe->channel, "RecordWrapperType"), "RecordIO");
}

static bool pipe_bytes(const Pipe *pipe, int fd, Str bytes)
{
    return wrapped(pipe) ? pipe_record(pipe, fd, bytes) : pipe_write(pipe, fd, bytes);
}

/* False when no more can be written; a bad object is told in the log and ends the epoch. */
static bool pipe_object(const Pipe *pipe, int fd, const S3Object *object)
{
    ARENA(scratch);
    Error err = {0};
    Str bytes;
    if (!file_map(arena_cstr(&scratch, object->path), &bytes, &err)) {
        log_say(pipe->run, "channel '%.*s': %s", STR_ARG(pipe->name), err.text);
        return false;
    }
    bool unpack = str_is(json_get_text(pipe->channel, "CompressionType"), "Gzip"), good = true;
    if (!unpack) {
        good = pipe_bytes(pipe, fd, bytes);
    } else {
        AUTO(unpacker_free) Unpacker *unpacker = NULL;
        AUTO_STRBUF StrBuf whole = STRBUF(RECORD_BYTES_MAX);
        AUTO_DATA char *out = data_alloc(COPY_BYTES, 1, "a compressed object", &err);
        Str rest = bytes;
        bool read = out && unpacker_new(PACKING_GZIP, &unpacker, &err);
        for (size_t n = COPY_BYTES; read && good && (rest.len || n == COPY_BYTES);) {
            read = unpacker_run(unpacker, &rest, out, COPY_BYTES, &n, &err);
            if (!read) break;
            if (wrapped(pipe))
                strbuf_add(&whole, (Str){out, n});
            else
                good = pipe_write(pipe, fd, (Str){out, n});
        }
        read = read && (!good || unpacker_finish(unpacker, &err));
        if (read && good && wrapped(pipe)) good = pipe_record(pipe, fd, strbuf_str(&whole));
        if (!read) {
            log_say(pipe->run, "channel '%.*s', '%.*s': %s", STR_ARG(pipe->name),
                    STR_ARG(object->key), err.text);
            good = false;
        }
    }
    file_unmap(bytes);
    return good;
}

static bool pipe_augmented(const Pipe *pipe, int fd, Str text, int row)
{
    Error err = {0};
    const Json *line, *names = json_get(pipe->source, "AttributeNames");
    TrainingRun mine = *pipe->run; /* another arena: many epochs may come */
    mine.arena = (Arena){0};
    bool good = true;
    if (!json_parse(text, &mine.arena, &line, &err)) {
        log_say(pipe->run, "manifest line %d: %s", row, err.text);
        arena_clear(&mine.arena);
        return false;
    }
    for (size_t i = 0; good && names && i < names->n; i++) {
        S3Object object;
        Str value = STR("");
        if (!attribute(&mine, line, json_at(names, i)->text, &object, &value, &err)) {
            log_say(pipe->run, "manifest line %d: %s", row, err.text);
            good = false;
        } else {
            good = object.path.ptr ? pipe_object(pipe, fd, &object) : pipe_bytes(pipe, fd, value);
        }
    }
    arena_clear(&mine.arena);
    return good;
}

static void pipe_epoch(const Pipe *pipe, int fd, int epoch)
{
    ARENA(scratch);
    const Json *shuffle = json_get(pipe->channel, "ShuffleConfig");
    Str *lines = NULL;
    size_t n = pipe->items.n;
    if (pipe->manifest.ptr) {
        Str rest = pipe->manifest, line;
        n = 0;
        lines = arena_array(&scratch, Str, pipe->manifest.len / 2 + 1);
        while (str_next_line(&rest, &line))
            if (str_trim(line).len) lines[n++] = line;
    }
    uint32_t *order = arena_array(&scratch, uint32_t, n + 1);
    for (size_t i = 0; i < n; i++) order[i] = (uint32_t)i;
    if (shuffle)
        random_permutation(
            random_stream((uint64_t)json_get_int(shuffle, "Seed", 0) + (uint64_t)epoch, 1), order,
            n);
    for (size_t i = 0; i < n; i++) {
        bool more = lines ? pipe_augmented(pipe, fd, lines[order[i]], (int)order[i] + 1)
                          : pipe_object(pipe, fd, &pipe->items.items[order[i]].object);
        if (!more) return;
    }
}

static void *feed(void *arg)
{
    Pipe *pipe = arg;
    for (int epoch = 0; !pipe_stopped(pipe); epoch++) {
        ARENA(scratch);
        /* The next one is there before this one ends. */
        mkfifo(pipe_path(pipe, &scratch, epoch + 1), 0600);
        const char *path = pipe_path(pipe, &scratch, epoch);
        int fd = pipe_open(pipe, path);
        if (fd < 0) break;
        pipe_epoch(pipe, fd, epoch);
        /* Unlinked before it is closed: a reader of the next epoch must not meet this one again. */
        unlink(path);
        close(fd);
    }
    return NULL;
}

static bool pipe_mode(const TrainingRun *run, const Json *channel)
{
    Str mode = json_get_text(channel, "InputMode");
    if (!mode.len)
        mode = json_get_text(json_get(run->job, "AlgorithmSpecification"), "TrainingInputMode");
    return str_is(mode, "Pipe");
}

static bool find_items(TrainingRun *run, const Json *source, Items *ret_items, Str *ret_manifest,
                       Error *err)
{
    Str type = json_get_text(source, "S3DataType"), uri = json_get_text(source, "S3Uri");
    *ret_manifest = (Str){0};
    if (str_is(type, "ManifestFile")) return find_manifest(run, uri, ret_items, ret_manifest, err);
    if (str_is(type, "AugmentedManifestFile")) return read_object(run, uri, ret_manifest, err);
    return find_prefix(run, uri, ret_items, err);
}

bool input_start_pipes(TrainingRun *run, Error *err)
{
    const Json *channels = json_get(run->job, "InputDataConfig");
    run->pipes = arena_new(&run->arena, TrainingPipes);
    for (size_t i = 0; channels && i < channels->n; i++) {
        const Json *channel = json_at(channels, i);
        if (!pipe_mode(run, channel)) continue;
        Pipe *pipe = arena_new(&run->arena, Pipe);
        *pipe = (Pipe){.run = run,
                       .channel = channel,
                       .source = json_path(channel, "DataSource.S3DataSource"),
                       .name = json_get_text(channel, "ChannelName")};
        if (!find_items(run, pipe->source, &pipe->items, &pipe->manifest, err))
            return error_in(err, "channel '%.*s'", STR_ARG(pipe->name));
        if (pipe->items.n) pipe->manifest = (Str){0};
        const char *path = pipe_path(pipe, &run->arena, 0);
        if (mkfifo(path, 0600) < 0 && errno != EEXIST)
            return error_sys(err, errno, "making the pipe '%s'", path);
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        int code = pthread_create(&pipe->thread, NULL, feed, pipe);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (code) return error_sys(err, code, "starting a thread");
        pipe->next = run->pipes->first;
        run->pipes->first = pipe;
    }
    return true;
}

void input_stop_pipes(TrainingRun *run)
{
    if (!run->pipes) return;
    __atomic_store_n(&run->pipes->stop, true, __ATOMIC_RELEASE);
    for (Pipe *pipe = run->pipes->first; pipe; pipe = pipe->next) pthread_join(pipe->thread, NULL);
    run->pipes->first = NULL;
}

/* ---- configuration ---- */

static bool write_json(TrainingRun *run, const char *name, const Json *value, Error *err)
{
    Str text = json_text(&run->arena, value);
    const char *path = arena_format(&run->arena, "%s/input/config/%s", run->folder, name).ptr;
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return error_sys(err, errno, "making '%s'", path);
    return fd_write(fd, text, path, err);
}

static bool write_params(TrainingRun *run, Error *err)
{
    const Json *given = json_get(run->job, "HyperParameters");
    Json *params = json_new_object(&run->arena);
    bool built_in = run->program.kind == PROGRAM_BUILT_IN;
    for (size_t i = 0; given && i < given->n; i++) {
        Str name = given->members[i].name;
        if (built_in && (str_starts(name, STR("sagemaker_")) || str_starts(name, STR("_tuning_"))))
            continue;
        json_set_str(&run->arena, params, name, given->members[i].value);
    }
    return write_json(run, "hyperparameters.json", params, err);
}

static bool write_channels(TrainingRun *run, Error *err)
{
    const Json *channels = json_get(run->job, "InputDataConfig");
    Json *config = json_new_object(&run->arena);
    for (size_t i = 0; channels && i < channels->n; i++) {
        const Json *channel = json_at(channels, i);
        Json *line = json_new_object(&run->arena);
        Str type = json_get_text(channel, "ContentType"),
            mode = json_get_text(channel, "InputMode"),
            wrapper = json_get_text(channel, "RecordWrapperType"),
            spread = json_get_text(json_path(channel, "DataSource.S3DataSource"),
                                   "S3DataDistributionType");
        if (!mode.len)
            mode = json_get_text(json_get(run->job, "AlgorithmSpecification"), "TrainingInputMode");
        if (type.len) json_set_text(&run->arena, line, "ContentType", type);
        json_set_text(&run->arena, line, "TrainingInputMode", mode.len ? mode : STR("File"));
        json_set_text(&run->arena, line, "S3DistributionType",
                      spread.len ? spread : STR("FullyReplicated"));
        json_set_text(&run->arena, line, "RecordWrapperType", wrapper.len ? wrapper : STR("None"));
        json_set_str(&run->arena, config, json_get_text(channel, "ChannelName"), line);
    }
    return write_json(run, "inputdataconfig.json", config, err);
}

static bool write_resources(TrainingRun *run, Error *err)
{
    Arena *arena = &run->arena;
    const Json *given = json_get(run->job, "ResourceConfig"),
               *group = json_at(json_get(given, "InstanceGroups"), 0);
    Str type = json_get_text(group ? group : given, "InstanceType"),
        name = json_get_text(group, "InstanceGroupName");
    if (!name.len) name = STR("homogeneousCluster");
    Json *config = json_new_object(arena), *hosts = json_new_array(arena),
         *groups = json_new_array(arena), *line = json_new_object(arena);
    json_push(arena, hosts, json_new_text(arena, STR("algo-1")));
    json_set_text(arena, config, "current_host", STR("algo-1"));
    json_set_text(arena, config, "current_instance_type", type.len ? type : STR("local"));
    json_set_text(arena, config, "current_group_name", name);
    json_set(arena, config, "hosts", hosts);
    json_set_text(arena, line, "instance_group_name", name);
    json_set_text(arena, line, "instance_type", type.len ? type : STR("local"));
    json_set(arena, line, "hosts", hosts);
    json_push(arena, groups, line);
    json_set(arena, config, "instance_groups", groups);
    json_set_text(arena, config, "network_interface_name", STR("lo"));
    return write_json(run, "resourceconfig.json", config, err);
}

static bool write_checkpoints(TrainingRun *run, Error *err)
{
    const Json *given = json_get(run->job, "CheckpointConfig");
    if (!given) return true;
    Json *config = json_new_object(&run->arena);
    Str path = json_get_text(given, "LocalPath");
    json_set_text(&run->arena, config, "LocalPath", path.len ? path : STR("/opt/ml/checkpoints"));
    return write_json(run, "checkpointconfig.json", config, err);
}

static bool prepare_channel(TrainingRun *run, const Json *channel, Error *err)
{
    const Json *source = json_path(channel, "DataSource.S3DataSource");
    Str name = json_get_text(channel, "ChannelName"), manifest;
    if (!source)
        return error_set(err, ERROR_UNSUPPORTED,
                         "only S3DataSource is served here: file systems "
                         "are folders; put the data into S3");
    if (pipe_mode(run, channel)) return true;
    const char *folder =
        arena_format(&run->arena, "%s/input/data/%.*s", run->folder, STR_ARG(name)).ptr;
    Items items = {0};
    bool unpack = str_is(json_get_text(channel, "CompressionType"), "Gzip");
    if (!folder_make(folder, err) || !find_items(run, source, &items, &manifest, err)) return false;
    if (str_is(json_get_text(source, "S3DataType"), "AugmentedManifestFile"))
        return place_augmented(run, source, manifest, folder, err);
    if (manifest.ptr) {
        const char *path = arena_format(&run->arena, "%s-manifest", folder).ptr;
        if (!file_commit(path, manifest, err)) return false;
    }
    bool code = false;
    for (size_t i = 0; i < COUNT(input_code_channels); i++)
        code |= str_is(name, input_code_channels[i]);
    return place_items(&items, folder, !code && may_link(), unpack, err);
}

bool input_prepare(TrainingRun *run, Error *err)
{
    static const char *const folders[] = {
        "input/config", "input/data", "model", "output/data", "output/metrics/sagemaker",
        "checkpoints",  "tmp"};
    for (size_t i = 0; i < COUNT(folders); i++)
        if (!folder_make(path_join(&run->arena, run->folder, folders[i]), err)) return false;
    if (!write_params(run, err) || !write_channels(run, err) || !write_resources(run, err) ||
        !write_checkpoints(run, err))
        return false;
    const Json *channels = json_get(run->job, "InputDataConfig");
    for (size_t i = 0; channels && i < channels->n; i++) {
        const Json *channel = json_at(channels, i);
        Str name = json_get_text(channel, "ChannelName");
        if (!prepare_channel(run, channel, err))
            return error_in(err, "ClientError: Data download failed: channel '%.*s'",
                            STR_ARG(name));
    }
    return true;
}
