/* kept.c -- see kept.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/kept.h"

#include "base/check.h"
#include "base/mem.h"
#include "core/core_priv.h"
#include "core/limits.h"
#include "wire/errors.h"

/* What a node is about: an attribute, or something that every session has for itself. */
enum reading { READ_NOTHING, READ_ATTRIBUTE, READ_SELF, READ_TRUSTLEVEL };

/* Values of different kinds in one number; below are the numbers of the intern table. */
#define VALUE_OF_SELF       (UINT64_C(1) << 63)
#define VALUE_OF_TRUSTLEVEL (UINT64_C(1) << 62)

struct kept_node {
    uint64_t serial;            /* of all nodes */
    struct kept_node *parent;   /* NULL: the root of a tree */
    uint64_t value;             /* of what the parent reads */
    struct list in_parent;      /* parent->children */
    struct list children;       /* owned: struct kept_node */
    enum reading reading;       /* READ_NOTHING: a leaf */
    uint32_t key;               /* READ_ATTRIBUTE: interned, counted */
    struct kept_answer *answer; /* owned; of a leaf; NULL: none */
};

/* All answers for one action and URI. */
struct kept_tree {
    struct kept_node root;
    struct list by_use; /* kept->by_use */
    enum rule_action action;
    enum match match;
    size_t uri_len;
    char uri[];
};

/* ---- nodes ---- */

static void node_init(struct kept *kept, struct kept_node *node)
{
    *node = (struct kept_node){.serial = ++kept->last_serial};
    list_init(&node->children);
    kept->node_count++;
}

static bool is_interned(const struct kept_node *node)
{
    return node->parent != NULL && node->parent->reading == READ_ATTRIBUTE &&
           node->value < VALUE_OF_TRUSTLEVEL;
}

static void drop_answer(struct kept *kept, struct kept_node *node)
{
    if (node->answer == NULL)
        return;
    kept->len -= node->answer->len;
    kept->answer_count--;
    mem_free(node->answer);
    node->answer = NULL;
}

static void node_free(struct core *core, struct kept_node *node);

/* Makes a leaf of it that has no answer. At most MAX_KEPT_READS deep. */
static void empty(struct core *core, struct kept_node *node) /* NOLINT(misc-no-recursion) */
{
    list_each (&node->children, child, after)
        node_free(core, container_of(child, struct kept_node, in_parent));
    intern_drop(&core->intern, node->key);
    node->key = INTERN_NONE;
    node->reading = READ_NOTHING;
    drop_answer(&core->kept, node);
}

static void node_free(struct core *core, struct kept_node *node) /* NOLINT(misc-no-recursion) */
{
    empty(core, node);
    if (is_interned(node))
        intern_drop(&core->intern, (uint32_t)node->value);
    map_remove(&core->kept.nodes, node->parent->serial, node->value);
    list_remove(&node->in_parent);
    core->kept.node_count--;
    mem_free(node);
}

static struct kept_node *add_child(struct core *core, struct kept_node *parent, uint64_t value)
{
    struct kept_node *child = mem_alloc(sizeof *child);

    node_init(&core->kept, child);
    child->parent = parent;
    child->value = value;
    if (is_interned(child) && value != INTERN_NONE)
        intern_hold(&core->intern, (uint32_t)value);
    list_append(&parent->children, &child->in_parent);
    map_put(&core->kept.nodes, parent->serial, value, child);
    return child;
}

/* ---- trees ---- */

static struct kept_tree *tree_new(struct core *core, const struct question *question)
{
    struct slice uri = question->msg->text;
    struct kept_tree *tree = mem_alloc(sizeof *tree + uri.len);
    struct kept *kept = &core->kept;

    tree->action = question->action;
    tree->match = question->match;
    tree->uri_len = uri.len;
    if (uri.len != 0)
        memcpy(tree->uri, uri.data, uri.len);
    node_init(kept, &tree->root);
    kept->len += uri.len;
    list_append(&kept->by_use, &tree->by_use);
    strmap_put(&kept->trees[tree->action][tree->match], slice_make(tree->uri, uri.len), tree);
    return tree;
}

static void tree_free(struct core *core, struct kept_tree *tree)
{
    struct kept *kept = &core->kept;

    empty(core, &tree->root);
    kept->node_count--;
    kept->len -= tree->uri_len;
    list_remove(&tree->by_use);
    strmap_remove(&kept->trees[tree->action][tree->match], slice_make(tree->uri, tree->uri_len));
    mem_free(tree);
}

void kept_init(struct core *core)
{
    struct kept *kept = &core->kept;

    for (unsigned action = 0; action < RULE_ACTION_COUNT; action++)
        for (unsigned match = 0; match < MATCH_COUNT; match++)
            strmap_init(&kept->trees[action][match], rng_u64(&core->rng), rng_u64(&core->rng));
    map_init(&kept->nodes, rng_u64(&core->rng));
    list_init(&kept->by_use);
}

void kept_clear(struct core *core)
{
    list_each (&core->kept.by_use, node, after)
        tree_free(core, container_of(node, struct kept_tree, by_use));
    core->kept.last_cleared = core->last_question;
}

void kept_fini(struct core *core)
{
    struct kept *kept = &core->kept;

    kept_clear(core);
    CHECK(kept->node_count == 0 && kept->len == 0 && kept->answer_count == 0);
    for (unsigned action = 0; action < RULE_ACTION_COUNT; action++)
        for (unsigned match = 0; match < MATCH_COUNT; match++)
            strmap_fini(&kept->trees[action][match]);
    map_fini(&kept->nodes);
}

/* ---- values ---- */

/* A number that no other session has, until its attributes change. */
static uint64_t self_of(struct kept *kept, struct session *session)
{
    if (session->self == 0)
        session->self = ++kept->last_serial;
    return VALUE_OF_SELF | session->self;
}

static uint64_t attribute_of(struct kept *kept, struct session *session, uint32_t key)
{
    for (uint32_t i = 0; i < session->compound_count; i++)
        if (session->compounds[i] == key)
            return self_of(kept, session);
    for (uint32_t i = 0; i < session->tag_count; i++)
        if (session->tags[i].key == key)
            return session->tags[i].value;
    return INTERN_NONE;
}

static uint64_t value_of(struct kept *kept, struct session *session, const struct kept_node *node)
{
    switch (node->reading) {
    case READ_ATTRIBUTE:
        return attribute_of(kept, session, node->key);
    case READ_TRUSTLEVEL:
        return VALUE_OF_TRUSTLEVEL | (uint64_t)(session->trustlevel + 1);
    case READ_NOTHING:
    case READ_SELF:
        break;
    }
    return self_of(kept, session);
}

static enum reading reading_of(struct slice name)
{
    static const char *const own[] = {"id", "session", "joined", "roles", "transport", "hello"};

    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (slice_eq(name, slice_of(own[i])))
            return READ_SELF;
    return slice_eq(name, SLICE("trustlevel")) ? READ_TRUSTLEVEL : READ_ATTRIBUTE;
}

/* ---- finding ---- */

const struct kept_answer *kept_find(struct core *core, struct session *session,
                                    enum rule_action action, enum match match, struct slice uri)
{
    struct kept *kept = &core->kept;
    const struct kept_node *node;
    struct kept_tree *tree;

    if (kept->answer_count == 0)
        return NULL;
    tree = strmap_get(&kept->trees[action][match], uri);
    if (tree == NULL)
        return NULL;
    for (node = &tree->root; node != NULL && node->reading != READ_NOTHING;)
        node = map_get(&kept->nodes, node->serial, value_of(kept, session, node));
    if (node == NULL || node->answer == NULL || node->answer->until <= core->now)
        return NULL;
    if (kept->by_use.prev != &tree->by_use) {
        list_remove(&tree->by_use);
        list_append(&kept->by_use, &tree->by_use);
    }
    core->counters.decisions_reused++;
    return node->answer;
}

/* ---- adding ---- */

static bool can_be_kept(const struct grant *grant)
{
    return grant->uri.data == NULL && grant->args.data == NULL && grant->kwargs.data == NULL &&
           grant->options.data == NULL && grant->audience == NULL;
}

/* What is denied may have been for another reason than the rights of the session, if there was more
 * to be said than that. */
static bool is_about_rights(const struct question *question, enum verdict verdict)
{
    return question->needs == NEEDS_AUTHORIZE ||
           ((question->needs & NEEDS_AUTHORIZE) != 0 && verdict == VERDICT_ALLOW);
}

static bool is_worth_keeping(const struct core *core, const struct session *session,
                             const struct question *question, const struct decision *decision)
{
    if (LIKELY(decision->keep_ms == 0) || !is_about_rights(question, decision->verdict) ||
        decision->read_count > MAX_KEPT_READS || question->id <= core->kept.last_cleared ||
        question->id <= session->changed_at)
        return false;
    for (size_t i = 0; i < decision->read_count; i++)
        if (decision->reads[i].len > MAX_ATTRIBUTE_LEN ||
            slice_eq(decision->reads[i], SLICE("vars")))
            return false; /* what a policy keeps there changes as it likes */
    return decision->verdict == VERDICT_ALLOW ? can_be_kept(&decision->grant)
                                              : decision->kwargs.len == 0 && !decision->closes;
}

static struct kept_answer *answer_new(const struct core *core, const struct decision *decision)
{
    const char *reason = decision->reason == NULL ? WAMP_NOT_AUTHORIZED : decision->reason;
    size_t reason_len = strlen(reason) + 1;
    size_t words_len = decision->words == NULL ? 0 : strlen(decision->words) + 1;
    struct kept_answer *answer = mem_alloc(sizeof *answer + reason_len + words_len);

    *answer = (struct kept_answer){.verdict = decision->verdict,
                                   .until = core->now + decision->keep_ms,
                                   .len = reason_len + words_len};
    if (decision->verdict == VERDICT_ALLOW)
        answer->grant = decision->grant;
    answer->reason = memcpy(answer->bytes, reason, reason_len);
    if (words_len != 0)
        answer->words = memcpy(answer->bytes + reason_len, decision->words, words_len);
    return answer;
}

/* The node reads this from now on; what it read before was something else, or it is new. */
static void set_reading(struct core *core, struct kept_node *node, struct slice name)
{
    enum reading reading = reading_of(name);
    uint32_t key =
        reading == READ_ATTRIBUTE ? intern_text(&core->intern, name) : (uint32_t)INTERN_NONE;

    if (node->reading == reading && node->key == key) {
        intern_drop(&core->intern, key);
        return;
    }
    empty(core, node);
    node->reading = reading;
    node->key = key;
}

static struct kept_node *step_down(struct core *core, struct session *session,
                                   struct kept_node *node, struct slice name)
{
    struct kept_node *child;
    uint64_t value;

    set_reading(core, node, name);
    value = value_of(&core->kept, session, node);
    child = map_get(&core->kept.nodes, node->serial, value);
    return child != NULL ? child : add_child(core, node, value);
}

static void make_room(struct core *core)
{
    struct kept *kept = &core->kept;

    while (kept->node_count > core->options.max_kept_nodes || kept->len > MAX_KEPT_LEN)
        tree_free(core, container_of(list_first(&kept->by_use), struct kept_tree, by_use));
}

void kept_add(struct core *core, struct session *session, const struct question *question,
              const struct decision *decision)
{
    struct kept *kept = &core->kept;
    struct kept_tree *tree;
    struct kept_node *node;

    if (!is_worth_keeping(core, session, question, decision))
        return;
    tree = strmap_get(&kept->trees[question->action][question->match], question->msg->text);
    if (tree == NULL)
        tree = tree_new(core, question);
    node = &tree->root;
    for (size_t i = 0; i < decision->read_count; i++)
        node = step_down(core, session, node, decision->reads[i]);
    empty(core, node);
    node->answer = answer_new(core, decision);
    kept->len += node->answer->len;
    kept->answer_count++;
    make_room(core);
}

/* ---- forgetting ---- */

void kept_forget_session(struct core *core, struct session *session)
{
    session->changed_at = core->last_question;
    session->self = 0;
}

/* Forgets what was decided for that value. Walks down as deep as the tree is. */
static void forget_value(struct core *core, struct kept_node *node, /* NOLINT(misc-no-recursion) */
                         struct tag tag)
{
    list_each (&node->children, at, after) {
        struct kept_node *child = container_of(at, struct kept_node, in_parent);

        if (node->reading == READ_ATTRIBUTE && node->key == tag.key && child->value == tag.value)
            node_free(core, child);
        else
            forget_value(core, child, tag);
    }
}

static bool has_tag(const struct session *session, struct tag tag)
{
    for (uint32_t i = 0; i < session->tag_count; i++)
        if (session->tags[i].key == tag.key && session->tags[i].value == tag.value)
            return true;
    return false;
}

void kept_forget(struct core *core, const struct forget *forget)
{
    struct tag tag = {intern_find_text(&core->intern, forget->name),
                      intern_find_token(&core->intern, &forget->value)};
    const struct map_entry *at;
    size_t i = 0;

    if (forget->name.len == 0) {
        kept_clear(core);
        return;
    }
    if (tag.key == INTERN_NONE || tag.value == INTERN_NONE)
        return; /* nobody has it, and no answer is about it */
    list_each (&core->kept.by_use, node, after)
        forget_value(core, &container_of(node, struct kept_tree, by_use)->root, tag);
    while ((at = map_next(&core->by_id, &i)) != NULL)
        if (has_tag(at->value, tag))
            kept_forget_session(core, at->value);
}

/* ---- for tests ---- */

struct sums {
    size_t nodes, answers, len;
};

static void check_node(const struct core *core, /* NOLINT(misc-no-recursion) */
                       const struct kept_node *node, struct sums *sums)
{
    sums->nodes++;
    sums->answers += node->answer != NULL;
    sums->len += node->answer == NULL ? 0 : node->answer->len;
    CHECK(node->reading == READ_NOTHING || node->answer == NULL);
    CHECK((node->reading == READ_ATTRIBUTE) == (node->key != INTERN_NONE));
    CHECK(node->reading != READ_NOTHING || list_is_empty(&node->children));
    list_each (&node->children, at, after) {
        const struct kept_node *child = container_of(at, struct kept_node, in_parent);

        CHECK(child->parent == node);
        CHECK(map_get(&core->kept.nodes, node->serial, child->value) == child);
        check_node(core, child, sums);
    }
}

void kept_check(const struct core *core)
{
    const struct kept *kept = &core->kept;
    struct sums sums = {0};
    size_t trees = 0, found = 0;

    list_each (&kept->by_use, node, after) {
        const struct kept_tree *tree = container_of(node, struct kept_tree, by_use);

        trees++;
        sums.len += tree->uri_len;
        CHECK(strmap_get(&kept->trees[tree->action][tree->match],
                         slice_make(tree->uri, tree->uri_len)) == tree);
        check_node(core, &tree->root, &sums);
    }
    for (unsigned action = 0; action < RULE_ACTION_COUNT; action++)
        for (unsigned match = 0; match < MATCH_COUNT; match++)
            found += kept->trees[action][match].count;
    CHECK(found == trees && kept->nodes.count + trees == kept->node_count);
    CHECK(sums.nodes == kept->node_count && sums.answers == kept->answer_count);
    CHECK(sums.len == kept->len && kept->len <= MAX_KEPT_LEN);
    CHECK(kept->node_count <= core->options.max_kept_nodes);
}
