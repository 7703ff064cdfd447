/* Regular expressions: Thompson's construction, run as Pike's machine.
 *
 * The pattern is parsed to a tree, the tree compiled to a program whose states are all run at once over the
 * text, so no text takes more than states x bytes steps.  States are kept in order of preference, which makes
 * the match the one that a backtracking matcher finds first.
 *
 * Look-around in linear time: whether X matches from a position on (behind up to it) is worked out for all
 * positions beforehand, by one run of X over the text from its end (from its begin), with every position as a
 * start.  Look-arounds inside others are worked out first.
 *
 * Cox: Regular Expression Matching: the Virtual Machine Approach, 2009. */

#include "format/regex.h"

#include "base/arena.h"
#include "base/strbuf.h"
#include "format/regex_parse.h"
#include "format/utf8.h"

#include <stdlib.h>

/* ---- compiling ---- */

typedef enum Op { OP_SET, OP_SPLIT, OP_JUMP, OP_SAVE, OP_ASSERT, OP_LOOK, OP_MATCH } Op;

typedef struct Inst {
    uint8_t op, assertion;
    int32_t x, y; /* SET: number; SPLIT: preferred, other; JUMP: target; SAVE: slot; LOOK: number */
} Inst;

typedef struct Program {
    Inst *inst;
    int n, capacity;
} Program;

typedef struct Look {
    Program program;
    bool ahead, negated;
} Look;

struct Regex {
    Arena arena;
    Program program;
    const RegexSet *const *sets;
    Look looks[REGEX_LOOKS_MAX];
    int n_looks, n_groups, n_states;
    Str needed;         /* is somewhere in every match; may be empty */
    bool can_skip;      /* every match begins with one of the bytes ... */
    uint64_t begins[4]; /* ... in this set */
};

typedef struct Compiler {
    Regex *regex;
    Program *program;
    bool reversed, saves;
    bool full;
} Compiler;

static int emit(Compiler *c, Op op, int x, int y)
{
    Program *program = c->program;
    if (c->regex->n_states == REGEX_STATES_MAX) {
        c->full = true;
        return 0;
    }
    if (program->n == program->capacity) {
        int more = program->capacity ? 2 * program->capacity : 32;
        program->inst = arena_grow(&c->regex->arena, program->inst, (size_t)program->n,
                                   (size_t)more, sizeof *program->inst);
        program->capacity = more;
    }
    program->inst[program->n] = (Inst){.op = (uint8_t)op, .x = x, .y = y};
    c->regex->n_states++;
    return program->n++;
}

static void compile(Compiler *c, const RegexNode *node);

static void compile_list(Compiler *c, const RegexNode *first)
{
    if (!c->reversed) {
        for (const RegexNode *node = first; node && !c->full; node = node->next) compile(c, node);
        return;
    }
    size_t n = 0;
    for (const RegexNode *node = first; node; node = node->next) n++;
    const RegexNode **nodes = arena_array(&c->regex->arena, const RegexNode *, n + 1);
    n = 0;
    for (const RegexNode *node = first; node; node = node->next) nodes[n++] = node;
    while (n-- > 0 && !c->full) compile(c, nodes[n]);
}

static void patch_split(Compiler *c, int at, int body, int after, bool lazy)
{
    Inst *inst = &c->program->inst[at];
    inst->x = lazy ? after : body;
    inst->y = lazy ? body : after;
}

static void compile_repeat(Compiler *c, const RegexNode *node)
{
    for (int i = 0; i < node->min && !c->full; i++) {
        int before = c->program->n;
        compile(c, node->first);
        if (c->program->n == before) return; /* nothing, however often */
    }
    if (node->max < 0) {
        int split = emit(c, OP_SPLIT, 0, 0), before = c->program->n;
        compile(c, node->first);
        if (c->full) return;
        if (c->program->n == before) { /* nothing, for ever */
            c->program->inst[split] = (Inst){.op = OP_JUMP, .x = split + 1};
            return;
        }
        emit(c, OP_JUMP, split, 0);
        if (!c->full) patch_split(c, split, split + 1, c->program->n, node->lazy);
        return;
    }
    int chain =
        -1; /* all optional copies leave to the same end: chained through y until it is known */
    for (int i = node->min; i < node->max && !c->full; i++) {
        int split = emit(c, OP_SPLIT, 0, chain), before = c->program->n;
        if (c->full) return;
        chain = split;
        compile(c, node->first);
        if (!c->full && c->program->n == before) break;
    }
    while (chain >= 0 && !c->full) {
        int next = c->program->inst[chain].y;
        patch_split(c, chain, chain + 1, c->program->n, node->lazy);
        chain = next;
    }
}

static void compile_alternatives(Compiler *c, const RegexNode *node)
{
    int chain = -1;
    for (const RegexNode *way = node->first; way && !c->full; way = way->next) {
        int split = way->next ? emit(c, OP_SPLIT, 0, 0) : -1;
        compile(c, way);
        if (!way->next || c->full) break;
        chain = emit(c, OP_JUMP, chain, 0);
        if (c->full) return;
        patch_split(c, split, split + 1, c->program->n, false);
    }
    while (chain >= 0 && !c->full) {
        int next = c->program->inst[chain].x;
        c->program->inst[chain].x = c->program->n;
        chain = next;
    }
}

/* The depth is that of the tree, which the parser limits. */
static void compile(Compiler *c, const RegexNode *node)
{
    if (c->full) return;
    switch (node->type) {
    case REGEX_EMPTY: break;
    case REGEX_SET: emit(c, OP_SET, node->number, 0); break;
    case REGEX_ASSERT: {
        int at = emit(c, OP_ASSERT, 0, 0);
        if (!c->full) c->program->inst[at].assertion = (uint8_t)node->number;
        break;
    }
    case REGEX_LOOK: emit(c, OP_LOOK, node->number, 0); break;
    case REGEX_LIST: compile_list(c, node->first); break;
    case REGEX_ALTERNATIVES: compile_alternatives(c, node); break;
    case REGEX_REPEAT: compile_repeat(c, node); break;
    case REGEX_GROUP:
        if (c->saves && node->number < REGEX_GROUPS_MAX) emit(c, OP_SAVE, 2 * node->number, 0);
        compile(c, node->first);
        if (c->saves && node->number < REGEX_GROUPS_MAX) emit(c, OP_SAVE, 2 * node->number + 1, 0);
        break;
    }
}

static bool compile_program(Regex *regex, Program *program, const RegexNode *tree, bool reversed,
                            bool saves)
{
    Compiler compiler = {.regex = regex, .program = program, .reversed = reversed, .saves = saves};
    compile(&compiler, tree);
    emit(&compiler, OP_MATCH, 0, 0);
    return !compiler.full;
}

/* ---- what every match has ----
 * Most texts do not match; these find that out at the speed of memmem and of a table. */

/* The character of a set of one, or -1. */
static int only_char(const RegexSet *set)
{
    if (set->negated || set->n) return -1;
    uint64_t low = set->ascii[0], high = set->ascii[1];
    if (__builtin_popcountll(low) + __builtin_popcountll(high) != 1) return -1;
    return low ? __builtin_ctzll(low) : 64 + __builtin_ctzll(high);
}

/* The longest run of plain characters that the nodes, one behind the other, cannot be without. */
static void find_needed(const RegexTree *tree, const RegexNode *first, int depth, StrBuf *run,
                        StrBuf *best)
{
    for (const RegexNode *node = first; node && depth < REGEX_DEPTH_MAX; node = node->next) {
        int c = node->type == REGEX_SET ? only_char(tree->sets[node->number]) : -1;
        if (c > 0) {
            strbuf_add_char(run, (char)c);
        } else if (node->type == REGEX_LIST || node->type == REGEX_GROUP) {
            find_needed(tree, node->first, depth + 1, run, best);
        } else if (node->type != REGEX_ASSERT && node->type != REGEX_LOOK &&
                   node->type != REGEX_EMPTY) {
            run->len = 0;
        }
        if (run->len > best->len) {
            best->len = 0;
            strbuf_add(best, strbuf_str(run));
        }
    }
}

/* The bytes that a match can begin with: what the states reached without a character accept. */
static void find_begins(Regex *regex, Arena *scratch)
{
    bool *seen = arena_array(scratch, bool, regex->program.n);
    int *todo = arena_array(scratch, int, 2 * regex->program.n + 2), n = 0;
    todo[n++] = 0;
    while (n > 0) {
        int state = todo[--n];
        const Inst *inst = &regex->program.inst[state];
        if (seen[state]) continue;
        seen[state] = true;
        switch ((Op)inst->op) {
        case OP_MATCH: return; /* matches nothing, which is everywhere */
        case OP_JUMP: todo[n++] = inst->x; break;
        case OP_SPLIT:
            todo[n++] = inst->x;
            todo[n++] = inst->y;
            break;
        case OP_SET: {
            const RegexSet *set = regex->sets[inst->x];
            regex->begins[0] |= set->ascii[0];
            regex->begins[1] |= set->ascii[1];
            /* A byte that is no UTF-8 counts as U+FFFD, so any byte from 128 on may be meant. */
            if (set->n || set->negated) regex->begins[2] = regex->begins[3] = UINT64_MAX;
            break;
        }
        default: todo[n++] = state + 1; break;
        }
    }
    regex->can_skip = true;
}

bool regex_new(Str pattern, int flags, Regex **ret_regex, Error *err)
{
    ARENA(scratch);
    Regex *regex = calloc(1, sizeof *regex);
    if (!regex) return error_set(err, ERROR_NO_MEMORY, "no memory for a regular expression");
    RegexTree tree = {0};
    bool ok = regex_parse(pattern, flags, &scratch, &regex->arena, &tree, err);
    if (ok) {
        regex->sets = tree.sets;
        regex->n_groups = MIN(tree.n_groups, REGEX_GROUPS_MAX);
        regex->n_looks = tree.n_looks;
        for (int i = 0; i < tree.n_looks && ok; i++) {
            regex->looks[i].ahead = tree.looks[i].ahead;
            regex->looks[i].negated = tree.looks[i].negated;
            ok = compile_program(regex, &regex->looks[i].program, tree.looks[i].tree,
                                 tree.looks[i].ahead, false);
        }
        ok = ok && compile_program(regex, &regex->program, tree.top, false, true);
        if (ok) {
            AUTO_STRBUF StrBuf run = STRBUF(REGEX_OUR_BYTES_MAX),
                               best = STRBUF(REGEX_OUR_BYTES_MAX);
            find_needed(&tree, tree.top, 0, &run, &best);
            regex->needed = arena_str(&regex->arena, strbuf_str(&best));
            find_begins(regex, &scratch);
        }
        if (!ok)
            error_set(err, ERROR_LIMIT,
                      "the pattern needs more than %d states: its repetition counts are too large",
                      REGEX_STATES_MAX);
    }
    if (!ok) {
        regex_free(regex);
        return false;
    }
    *ret_regex = regex;
    return true;
}

void regex_free(Regex *regex)
{
    if (!regex) return;
    arena_clear(&regex->arena);
    free(regex);
}

int regex_states(const Regex *regex)
{
    return regex->n_states;
}

int regex_groups(const Regex *regex)
{
    return regex->n_groups;
}

/* ---- running ---- */

enum { SLOTS_MAX = 2 * REGEX_GROUPS_MAX };
#define UNSET SIZE_MAX

/* States to be run at a position, in order of preference: a sparse set, with a row of slots per state. */
typedef struct Threads {
    int32_t *states, *place; /* place[state]: where it is in states, if it is */
    size_t *slots;           /* n_slots for each entry of `states` */
    int n;
} Threads;

typedef struct Todo {
    int32_t state; /* or -1 - slot: put `value` back */
    size_t value;
} Todo;

typedef struct Run {
    const Regex *regex;
    const Program *program;
    Str text;
    uint8_t *bits[REGEX_LOOKS_MAX]; /* a bit per position */
    Threads now, next;
    Todo *todo;
    int n_slots;
} Run;

static bool get_bit(const uint8_t *bits, size_t i)
{
    return bits[i / 8] >> (i % 8) & 1;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool holds(Str text, int assertion, size_t at)
{
    bool line_before = at > 0 && text.ptr[at - 1] == '\n',
         line_after = at < text.len && text.ptr[at] == '\n';
    switch (assertion) {
    case REGEX_BEGIN: return at == 0;
    case REGEX_END: return at == text.len;
    case REGEX_END_LINE: return at == text.len || (at + 1 == text.len && line_after);
    case REGEX_LINE_BEGIN: return at == 0 || line_before;
    case REGEX_LINE_END: return at == text.len || line_after;
    default: {
        bool before = at > 0 && is_word(text.ptr[at - 1]),
             after = at < text.len && is_word(text.ptr[at]);
        return (before != after) == (assertion == REGEX_WORD_EDGE);
    }
    }
}

static bool set_has(const RegexSet *set, uint32_t code)
{
    if (code < 128) return set->ascii[code / 64] >> (code % 64) & 1;
    size_t low = 0, high = set->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (code > set->ranges[middle].last)
            low = middle + 1;
        else if (code < set->ranges[middle].first)
            high = middle;
        else
            return !set->negated;
    }
    return set->negated;
}

/* Adds a state and all that it reaches without a character.  `slots` are those of the way so far; they are as
 * before when it returns. */
static void add_thread(Run *run, Threads *threads, int first, size_t at, size_t *slots)
{
    const Inst *program = run->program->inst;
    int n = 0;
    run->todo[n++] = (Todo){.state = first};
    while (n > 0) {
        Todo todo = run->todo[--n];
        if (todo.state < 0) {
            slots[-1 - todo.state] = todo.value;
            continue;
        }
        int state = todo.state;
        int32_t place = threads->place[state];
        if (place < threads->n && threads->states[place] == state) continue;
        threads->place[state] = threads->n;
        threads->states[threads->n] = state;
        if (run->n_slots)
            memcpy(threads->slots + (size_t)threads->n * (size_t)run->n_slots, slots,
                   (size_t)run->n_slots * sizeof *slots);
        threads->n++;
        const Inst *inst = &program[state];
        switch ((Op)inst->op) {
        case OP_JUMP: run->todo[n++].state = inst->x; break;
        case OP_SPLIT:
            run->todo[n++].state = inst->y;
            run->todo[n++].state = inst->x;
            break;
        case OP_SAVE:
            if (inst->x < run->n_slots) {
                run->todo[n++] = (Todo){.state = -1 - inst->x, .value = slots[inst->x]};
                slots[inst->x] = at;
            }
            run->todo[n++].state = state + 1;
            break;
        case OP_ASSERT:
            if (holds(run->text, inst->assertion, at)) run->todo[n++].state = state + 1;
            break;
        case OP_LOOK:
            if (get_bit(run->bits[inst->x], at) != run->regex->looks[inst->x].negated)
                run->todo[n++].state = state + 1;
            break;
        case OP_SET:
        case OP_MATCH: break;
        }
    }
}

/* The character at a position; *ret_len bytes. */
static uint32_t char_at(Str text, size_t at, size_t *ret_len)
{
    const unsigned char *p = (const unsigned char *)text.ptr + at,
                        *end = (const unsigned char *)text.ptr + text.len;
    size_t n = utf8_sequence(p, end);
    *ret_len = MAX(n, 1u);
    switch (n) {
    case 0: return 0xfffd;
    case 1: return p[0];
    case 2: return (uint32_t)(p[0] & 31) << 6 | (p[1] & 63);
    case 3: return (uint32_t)(p[0] & 15) << 12 | (uint32_t)(p[1] & 63) << 6 | (p[2] & 63);
    default:
        return (uint32_t)(p[0] & 7) << 18 | (uint32_t)(p[1] & 63) << 12 |
               (uint32_t)(p[2] & 63) << 6 | (p[3] & 63);
    }
}

static uint32_t char_before(Str text, size_t at, size_t *ret_len)
{
    for (size_t back = 1; back <= MIN(at, 4u); back++) {
        size_t n;
        uint32_t code = char_at(text, at - back, &n);
        if (n == back && (back > 1 || (uint8_t)text.ptr[at - 1] < 0x80)) {
            *ret_len = n;
            return code;
        }
        if (((uint8_t)text.ptr[at - back] & 0xc0) != 0x80) break;
    }
    *ret_len = 1;
    return 0xfffd;
}

static void swap_threads(Run *run)
{
    Threads now = run->now;
    run->now = run->next;
    run->next = now;
    run->next.n = 0;
}

/* Without groups: whether the program ends at the last position; for look-arounds, with every position as a
 * start, in `bits` whether it ends there. */
static bool run_states(Run *run, bool backwards, uint8_t *bits)
{
    size_t n = run->text.len, at = backwards ? n : 0;
    run->n_slots = 0;
    run->now.n = run->next.n = 0;
    add_thread(run, &run->now, 0, at, NULL);
    for (bool first = true;; first = false) {
        if (bits && !first) add_thread(run, &run->now, 0, at, NULL);
        bool ends = false;
        for (int i = 0; i < run->now.n && !ends; i++)
            ends = run->program->inst[run->now.states[i]].op == OP_MATCH;
        if (bits && ends) bits[at / 8] |= (uint8_t)(1 << (at % 8));
        if (at == (backwards ? 0 : n)) return ends;
        if (run->now.n == 0 && !bits) return false;
        size_t len;
        uint32_t code = backwards ? char_before(run->text, at, &len) : char_at(run->text, at, &len);
        at = backwards ? at - len : at + len;
        for (int i = 0; i < run->now.n; i++) {
            const Inst *inst = &run->program->inst[run->now.states[i]];
            if (inst->op == OP_SET && set_has(run->regex->sets[inst->x], code))
                add_thread(run, &run->next, run->now.states[i] + 1, at, NULL);
        }
        swap_threads(run);
    }
}

static bool run_search(Run *run, size_t *ret_slots)
{
    size_t slots[SLOTS_MAX], found[SLOTS_MAX];
    bool matched = false;
    run->n_slots = 2 * run->regex->n_groups;
    for (int i = 0; i < SLOTS_MAX; i++) slots[i] = found[i] = UNSET;
    run->now.n = run->next.n = 0;
    for (size_t at = 0;;) {
        if (run->regex->can_skip && run->now.n == 0) {
            if (matched) break;
            const uint64_t *begins = run->regex->begins;
            for (; at < run->text.len; at++) {
                uint8_t byte = (uint8_t)run->text.ptr[at];
                if (begins[byte / 64] >> (byte % 64) & 1) break;
            }
            if (at == run->text.len) break;
        }
        if (!matched) {
            slots[0] = at;
            add_thread(run, &run->now, 0, at, slots);
        }
        if (run->now.n == 0) break;
        size_t len = 1;
        uint32_t code = at < run->text.len ? char_at(run->text, at, &len) : 0;
        for (int i = 0; i < run->now.n; i++) {
            int state = run->now.states[i];
            const Inst *inst = &run->program->inst[state];
            size_t *own = run->now.slots + (size_t)i * (size_t)run->n_slots;
            if (inst->op == OP_MATCH) {
                memcpy(found, own, (size_t)run->n_slots * sizeof *found);
                found[1] = at;
                matched = true;
                break; /* what is preferred less is dropped */
            }
            if (inst->op == OP_SET && at < run->text.len &&
                set_has(run->regex->sets[inst->x], code)) {
                memcpy(slots, own, (size_t)run->n_slots * sizeof *slots);
                add_thread(run, &run->next, state + 1, at + len, slots);
            }
        }
        for (int i = 0; i < SLOTS_MAX; i++) slots[i] = UNSET;
        swap_threads(run);
        if (at == run->text.len) break;
        at += len;
    }
    memcpy(ret_slots, found, sizeof found);
    return matched;
}

static void init_threads(Arena *arena, Threads *threads, size_t n_states, size_t n_slots)
{
    threads->states = arena_array(arena, int32_t, n_states);
    threads->place = arena_array(arena, int32_t, n_states);
    if (n_slots) threads->slots = arena_array(arena, size_t, n_states * n_slots);
}

static void begin_run(Run *run, const Regex *regex, Str text, bool slots, Arena *arena)
{
    size_t n_states = (size_t)regex->program.n, n_slots = slots ? 2 * (size_t)regex->n_groups : 0;
    for (int i = 0; i < regex->n_looks; i++)
        n_states = MAX(n_states, (size_t)regex->looks[i].program.n);
    *run = (Run){.regex = regex, .text = text};
    init_threads(arena, &run->now, n_states, n_slots);
    init_threads(arena, &run->next, n_states, n_slots);
    run->todo = arena_array(arena, Todo, 2 * n_states + 2);
    for (int i = 0; i < regex->n_looks; i++) {
        run->bits[i] = arena_array(arena, uint8_t, text.len / 8 + 1);
        run->program = &regex->looks[i].program;
        run_states(run, regex->looks[i].ahead, run->bits[i]);
    }
    run->program = &regex->program;
}

static bool lacks_needed(const Regex *regex, Str text)
{
    return regex->needed.len && !memmem(text.ptr, text.len, regex->needed.ptr, regex->needed.len);
}

bool regex_matches(const Regex *regex, Str text)
{
    if (lacks_needed(regex, text)) return false;
    ARENA(arena);
    Run run;
    begin_run(&run, regex, text, false, &arena);
    return run_states(&run, false, NULL);
}

bool regex_search(const Regex *regex, Str text, Str ret_groups[REGEX_GROUPS_MAX])
{
    if (lacks_needed(regex, text)) return false;
    ARENA(arena);
    Run run;
    size_t slots[SLOTS_MAX];
    begin_run(&run, regex, text, true, &arena);
    if (!run_search(&run, slots)) return false;
    for (int i = 0; ret_groups && i < REGEX_GROUPS_MAX; i++) {
        size_t begin = slots[2 * i], end = slots[2 * i + 1];
        ret_groups[i] = begin == UNSET || end == UNSET ? (Str){0} : str_slice(text, begin, end);
    }
    return true;
}
