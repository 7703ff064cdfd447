/* Settings of the server; see settings.h. */

#include "cli/settings.h"

#include "base/file.h"

#include <errno.h>
#include <stdlib.h>

const Option server_options[] = {
    {"home", 0, "DIR", "where everything is kept (~/.clary)", false, NULL},
    {"host", 0, "ADDR", "address to listen on (127.0.0.1)", false, NULL},
    {"port", 'p', "N", "port to listen on, 0: any free one (4600)", false, NULL},
    {"region", 0, "NAME", "region of requests that name none (us-east-1)", false, NULL},
    {"account", 0, "ID", "the twelve digits in every ARN (123456789012)", false, NULL},
    {"database", 0, "URL", "postgres://... instead of the file clary.db in the home folder", false,
     NULL},
    {"access-key", 0, "AK:SK",
     "the first key pair, instead of one that is made and kept in the home folder", false, NULL},
    {"bucket", 0, "NAME=DIR", "serve a folder as a bucket that can be read", true, NULL},
    {"jobs", 0, "N", "jobs that run at a time (one per processor)", false, NULL},
    {"certificate", 0, "FILE", "speak TLS with this certificate chain (PEM)", false, NULL},
    {"certificate-key", 0, "FILE", "and this key", false, NULL},
    {"proxy", 0, NULL, "be an HTTPS proxy too, that answers for *.amazonaws.com", false, NULL},
    {"ephemeral", 0, NULL,
     "keep everything in a folder that dies with the server; prints one JSON line", false, NULL},
    {"auth", 0, "WHO", "any: accept every key and clock (with --ephemeral, on the loopback only)",
     false, NULL},
    {"allow-unconfined", 0, NULL, "run the programs of users even where they cannot be confined",
     false, NULL},
    {"insecure", 0, NULL, "listen without TLS on an address that others can reach", false, NULL},
    {"help", 'h', NULL, "print this help", false, NULL},
    {"version", 0, NULL, "print the version", false, NULL},
    {0},
};

static const struct {
    const char *name, *preset;
} presets[] = {
    {"host", "127.0.0.1"},       {"port", "4600"}, {"region", "us-east-1"},
    {"account", "123456789012"}, {"jobs", "0"},
};

static int position(const char *name)
{
    for (int i = 0; server_options[i].name; i++)
        if (strcmp(server_options[i].name, name) == 0) return i;
    assert(0 && "no such setting");
    return 0;
}

static Str environment_value(const char *name, Arena *arena)
{
    char *variable = arena_cstr(arena, arena_format(arena, "CLARY_%s", name));
    for (char *c = variable; *c; c++) {
        if (*c == '-') *c = '_';
        if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 'a' + 'A');
    }
    const char *value = getenv(variable);
    return value && *value ? arena_str(arena, str_of(value)) : (Str){0};
}

Str settings_text(const Settings *settings, const char *name)
{
    return settings->values[position(name)];
}

bool settings_on(const Settings *settings, const char *name)
{
    Str value = settings_text(settings, name);
    return value.len && !str_is(value, "0") && !str_is(value, "no") && !str_is(value, "false");
}

bool settings_int(const Settings *settings, const char *name, int64_t min, int64_t max,
                  int64_t *ret_value, Error *err)
{
    Str text = settings_text(settings, name);
    if (!str_to_int64(text, ret_value))
        return error_set(err, ERROR_INVALID, "setting '%s': '%.*s' is not a whole number", name,
                         STR_ARG(text));
    if (*ret_value < min || *ret_value > max)
        return error_set(err, ERROR_INVALID, "setting '%s': %lld is outside [%lld, %lld]", name,
                         (long long)*ret_value, (long long)min, (long long)max);
    return true;
}

Str settings_home(const Settings *settings, Arena *arena)
{
    Str home = settings_text(settings, "home");
    if (!home.len) {
        const char *user = getenv("HOME");
        return arena_format(arena, "%s/.clary", user && *user ? user : "/var/lib/clary");
    }
    if (home.ptr[0] == '/') return home;
    char folder[4096];
    if (!getcwd(folder, sizeof folder)) return home;
    return arena_format(arena, "%s/%.*s", folder, STR_ARG(home));
}

static bool read_file(const char *path, Arena *arena, Settings *settings, Error *err)
{
    Str text, line;
    if (!file_exists(path)) return true;
    if (!file_read(path, SETTINGS_FILE_BYTES_MAX, arena, &text, err)) return false;
    for (int number = 1; str_next_line(&text, &line); number++) {
        line = str_trim(line);
        if (!line.len || line.ptr[0] == '#') continue;
        size_t equals = str_find(line, '=');
        Str name = str_trim(str_slice(line, 0, equals));
        if (equals == line.len)
            return error_set(err, ERROR_INVALID, "'%s': line %d: '%.*s' is no \"name = value\"",
                             path, number, STR_ARG(line));
        Str names[SETTINGS_MAX];
        int n = 0, found = -1;
        for (; server_options[n].name; n++) {
            names[n] = str_of(server_options[n].name);
            if (str_eq(names[n], name)) found = n;
        }
        if (found < 0 || str_is(name, "home") || str_is(name, "help") || str_is(name, "version")) {
            int near = str_nearest(name, names, (size_t)n);
            return error_set(err, ERROR_INVALID,
                             "'%s': line %d: there is no setting '%.*s'%s%.*s%s", path, number,
                             STR_ARG(name), near >= 0 ? "; did you mean '" : "",
                             near >= 0 ? (int)names[near].len : 0, near >= 0 ? names[near].ptr : "",
                             near >= 0 ? "'?" : "");
        }
        if (settings->values[found].ptr) continue;
        settings->values[found] = arena_str(arena, str_trim(str_from(line, equals + 1)));
        settings->from[found] = "file";
    }
    return true;
}

bool settings_load(const Args *args, Arena *arena, Settings *ret_settings, Error *err)
{
    Settings settings = {0};
    for (int i = 0; server_options[i].name; i++) {
        const Option *option = &server_options[i];
        if (option->repeat) continue;
        settings.from[i] = "option";
        if (args_has(args, option->name)) {
            settings.values[i] = option->value ? arena_str(arena, args_get(args, option->name))
                                               : STR("yes");
            continue;
        }
        settings.from[i] = "environment";
        settings.values[i] = environment_value(option->name, arena);
    }
    settings.repeated = args_all(args, "bucket", &settings.n_repeated);
    const char *home = settings_home(&settings, arena).ptr;
    if (!read_file(path_join(arena, home, "clary.conf"), arena, &settings, err)) return false;
    for (size_t i = 0; i < COUNT(presets); i++) {
        int at = position(presets[i].name);
        if (settings.values[at].ptr) continue;
        settings.values[at] = str_of(presets[i].preset);
        settings.from[at] = "preset";
    }
    *ret_settings = settings;
    return true;
}
