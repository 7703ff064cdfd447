#include "boost/model.h"

#include "base/test.h"

#include <math.h>

TEST(tree, rows_go_left_below_the_threshold_and_missing_the_default_way)
{
    Error err = {0};
    Tree tree;
    CHECK_OK(tree_init(&tree, 1, &err), err);
    CHECK_OK(tree_split(&tree, 0, 2, 1.5f, true, &err), err);
    CHECK_OK(tree_split(&tree, 2, 0, 3, false, &err), err);
    CHECK_INT(tree.n_nodes, 5);
    CHECK_INT(tree_next(&tree, 0, 1.4999999f), 1);
    CHECK_INT(tree_next(&tree, 0, 1.5f), 2);
    CHECK_INT(tree_next(&tree, 0, NAN), 1);
    CHECK_INT(tree_next(&tree, 2, NAN), 4);
    CHECK_INT(tree_next(&tree, 2, -INFINITY), 3);
    CHECK_INT(tree.parent[4], 2);
    CHECK_INT(tree_depth(&tree), 2);
    tree_clear(&tree);
}

TEST(tree, categories_in_the_set_go_right)
{
    Error err = {0};
    Tree tree;
    CHECK_OK(tree_init(&tree, 4, &err), err);
    int32_t first[] = {1, 40}, second[] = {0};
    CHECK_OK(tree_split_categories(&tree, 0, 0, first, 2, false, &err), err);
    CHECK_OK(tree_split_categories(&tree, 1, 0, second, 1, true, &err), err);
    CHECK_INT(tree_next(&tree, 0, 1), 2);
    CHECK_INT(tree_next(&tree, 0, 40), 2);
    CHECK_INT(tree_next(&tree, 0, 2), 1);
    CHECK_INT(tree_next(&tree, 0, -1), 1);
    CHECK_INT(tree_next(&tree, 0, 3e9f), 1);
    CHECK_INT(tree_next(&tree, 0, NAN), 2);
    CHECK_INT(tree_next(&tree, 1, 0), 4);
    CHECK_INT(tree_next(&tree, 1, NAN), 3);
    tree_clear(&tree);
}

TEST(tree, compact_drops_what_hangs_below_a_collapsed_node)
{
    Error err = {0};
    Tree tree;
    CHECK_OK(tree_init(&tree, 1, &err), err);
    int32_t a[] = {7}, b[] = {8, 9};
    CHECK_OK(tree_split(&tree, 0, 0, 0, true, &err), err);
    CHECK_OK(tree_split_categories(&tree, 1, 1, a, 1, true, &err), err);  /* 3, 4 */
    CHECK_OK(tree_split_categories(&tree, 2, 2, b, 2, false, &err), err); /* 5, 6 */
    CHECK_OK(tree_split(&tree, 3, 3, 3, true, &err), err);                /* 7, 8 */
    for (int32_t i = 5; i <= 6; i++) tree.threshold[i] = (float)i;
    tree.threshold[1] = 0.25f;
    bool collapsed[9] = {[1] = true};
    CHECK_OK(tree_compact(&tree, collapsed, &err), err);
    CHECK_INT(tree.n_nodes, 5);
    CHECK(tree_is_leaf(&tree, 1));
    CHECK_INT(tree.categorical[1], 0);
    CHECK_NEAR(tree.threshold[1], 0.25, 0);
    CHECK_INT(tree.left[2], 3);
    CHECK_INT(tree.parent[4], 2);
    CHECK_NEAR(tree.threshold[4], 6, 0);
    CHECK_INT(tree.n_categories, 2);
    CHECK_INT(tree_next(&tree, 2, 9), 4);
    CHECK_INT(tree_next(&tree, 2, 7), 3);
    CHECK_INT(tree_depth(&tree), 2);
    tree_clear(&tree);
}

TEST(model, rounds_are_kept_and_cut)
{
    Error err = {0};
    AUTO(boost_model_free) BoostModel *model = boost_model_new();
    model->n_groups = 2;
    for (int32_t i = 0; i < 200; i++) {
        Tree tree;
        CHECK_OK(tree_init(&tree, 1, &err), err);
        tree.threshold[0] = (float)i;
        CHECK_OK(boost_model_add_tree(model, &tree, i % 2, &err), err);
        CHECK(tree.left == NULL);
        if (i % 2) CHECK_OK(boost_model_end_round(model, &err), err);
    }
    CHECK_INT(model->n_rounds, 100);
    for (int32_t r = 0; r <= 100; r++) CHECK_INT(model->round_start[r], 2 * r);
    boost_model_cut_rounds(model, 17);
    CHECK_INT(model->n_trees, 34);
    CHECK_INT(model->tree_group[33], 1);
    CHECK_NEAR(model->trees[33].threshold[0], 33, 0);
    for (int32_t r = 0; r < 20; r++) CHECK_OK(boost_model_end_round(model, &err), err);
    CHECK_INT(model->round_start[37], 34);
}

TEST(model, attributes_are_replaced_by_name)
{
    AUTO(boost_model_free) BoostModel *model = boost_model_new();
    boost_model_set_attribute(model, "best_iteration", STR("3"));
    boost_model_set_attribute(model, "best_score", STR("0.5"));
    boost_model_set_attribute(model, "best_iteration", STR("4"));
    CHECK_INT(model->n_attributes, 2);
    CHECK_STR(boost_model_attribute(model, "best_iteration"), STR("4"));
    CHECK_STR(boost_model_attribute(model, "nothing"), STR(""));
}

TEST(model, base_margin_follows_the_link)
{
    AUTO(boost_model_free) BoostModel *model = boost_model_new();
    model->base_score = 0.25;
    model->objective = STR("binary:logistic");
    CHECK_NEAR(boost_model_base_margin(model), log(0.25 / 0.75), 1e-12);
    model->objective = STR("reg:gamma");
    CHECK_NEAR(boost_model_base_margin(model), log(0.25), 1e-12);
    model->objective = STR("multi:softmax");
    CHECK_NEAR(boost_model_base_margin(model), 0.25, 0);
}
