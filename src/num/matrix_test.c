/* One table in three layouts. */

#include "base/memory.h"
#include "base/test.h"
#include "num/matrix.h"

enum { ROWS = 37, COLS = 21, STRIDE = 24 };

static float cell(int64_t i, int32_t j)
{
    return (i * 7 + j * 3) % 5 == 0 ? (float)(i * 100 + j + 1) : 0;
}

typedef struct Table {
    float columns[COLS][ROWS], rows[ROWS][STRIDE];
    float *column[COLS];
    int64_t row_start[ROWS + 1];
    int32_t col[ROWS * COLS];
    float value[ROWS * COLS];
    Matrix layouts[3];
} Table;

static void fill(Table *table)
{
    int64_t n = 0;
    for (int64_t i = 0; i < ROWS; i++) {
        for (int32_t j = 0; j < COLS; j++) {
            table->columns[j][i] = table->rows[i][j] = cell(i, j);
            if (cell(i, j) == 0) continue;
            table->col[n] = j;
            table->value[n++] = cell(i, j);
        }
        table->row_start[i + 1] = n;
    }
    for (int32_t j = 0; j < COLS; j++) table->column[j] = table->columns[j];
    Matrix shape = {.n_rows = ROWS, .n_cols = COLS};
    for (int l = 0; l < 3; l++) table->layouts[l] = shape;
    table->layouts[0].layout = MATRIX_COLUMNS;
    table->layouts[0].column = table->column;
    table->layouts[1].layout = MATRIX_ROWS;
    table->layouts[1].rows = table->rows[0];
    table->layouts[1].row_stride = STRIDE;
    table->layouts[2].layout = MATRIX_CSR;
    table->layouts[2].row_start = table->row_start;
    table->layouts[2].col = table->col;
    table->layouts[2].value = table->value;
}

TEST(matrix, all_layouts_copy_the_same)
{
    static Table table;
    fill(&table);
    for (int l = 0; l < 3; l++) {
        float *shifted[COLS];
        for (int64_t begin = 0; begin <= 5; begin += 5) {
            Matrix view = matrix_rows(&table.layouts[l], begin, ROWS - 1, shifted);
            CHECK_INT(view.n_rows, ROWS - 1 - begin);
            float out[ROWS][STRIDE], column[ROWS];
            matrix_copy_rows(&view, 2, view.n_rows, out[0], STRIDE);
            for (int64_t i = 2; i < view.n_rows; i++)
                for (int32_t j = 0; j < COLS; j++) CHECK(out[i - 2][j] == cell(i + begin, j));
            for (int32_t j = 0; j < COLS; j++) {
                matrix_copy_column(&view, j, 3, view.n_rows, column);
                for (int64_t i = 3; i < view.n_rows; i++)
                    CHECK(column[i - 3] == cell(i + begin, j));
            }
        }
    }
}
