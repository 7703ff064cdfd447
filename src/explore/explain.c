/* One sentence for every word that a profile uses: for people who learn. */

#include "explore/profile.h"

static const struct {
    const char *term, *text;
} terms[] = {
    {"count", "How many rows have a value here."},
    {"missing", "Rows without a value; ask why they lack one before you fill them."},
    {"distinct", "How many different values there are."},
    {"minimum", "The smallest value: check that it is possible."},
    {"maximum", "The largest value: check that it is possible."},
    {"zeros", "How many values are 0; many of them may stand for \"unknown\"."},
    {"infinite",
     "Values beyond every number, usually from a division by zero; left out of all figures."},
    {"percentile", "The p-th percentile: p of 100 values lie below it."},
    {"variation",
     "The standard deviation as a share of the mean: spreads of different units can be compared."},
    {"histogram", "The range in equal steps, and how many values fall into each."},
    {"box plot",
     "The box holds the middle half of the values, the line is the median, whiskers reach 1.5 IQR beyond, rings lie further out."},
    {"length", "How many characters a text has."},
    {"gap", "The time between one row and the next; a long one may be lost data."},
    {"correlation matrix",
     "Every column against every other: blue rises together, orange moves opposite, pale is unrelated."},
    {"mean", "The sum of the values divided by their number; one extreme value can move it far."},
    {"median",
     "The value in the middle: half of the values lie below it; extreme values do not move it."},
    {"mode", "The most frequent value; of equally frequent ones the smallest."},
    {"standard deviation",
     "How far values typically lie from the mean, in the column's own unit (divided by n - 1)."},
    {"quartile",
     "A quarter of the values lies below the first quartile, three quarters below the third."},
    {"IQR",
     "The interquartile range: from the first to the third quartile, where the middle half of the values lies."},
    {"MAD", "The median distance from the median: a spread that extreme values do not touch."},
    {"skewness",
     "0 for a symmetric distribution; above 1 a long tail to the right, below -1 to the left."},
    {"kurtosis",
     "How heavy the tails are compared with a normal distribution, whose excess kurtosis is 0."},
    {"entropy", "How many bits are needed to say which value a row has: 0 when all are the same."},
    {"z-score",
     "A value's distance from the mean in standard deviations; beyond 3 it is called an outlier (with fewer than 11 values none can be)."},
    {"modified z-score",
     "A value's distance from the median in units of the MAD; beyond 3.5 it is called an outlier, and outliers cannot hide each other."},
    {"outlier",
     "A value far from the others: a mistake, or the most interesting row of all; look before you remove it."},
    {"Pearson",
     "The linear correlation of two columns: 1 rises together, -1 opposite, 0 no straight line."},
    {"Spearman",
     "The correlation of the ranks: 1 when one column always rises with the other, along whatever curve."},
    {"Kendall",
     "Pairs of rows in the same order in both columns, minus those in opposite order, as a share of all pairs."},
    {"Cramer's V",
     "How strongly two categorical columns go together, from 0 to 1, from the chi-square of their table."},
    {"eta",
     "The root of the share of a number's variance that a category explains: 0 nothing, 1 all of it."},
    {"mutual information",
     "How much knowing one column says about the other; 0 only when they are independent."},
    {"VIF",
     "The variance inflation factor: how much less sure a linear model's coefficient is because other columns follow the same pattern; above 5 is high."},
    {"multicollinearity",
     "Columns that can be computed from each other: coefficients of linear models become arbitrary, predictions and trees hardly suffer."},
    {"leakage",
     "A feature that would not be known yet when the prediction is needed; models look perfect in tests and fail in use."},
    {"imbalance",
     "One class is much rarer than another: always guessing the frequent one is accurate and useless."},
    {"duplicate rows",
     "Rows that equal another one in every column; when they fall into training and test data the test is too easy."},
    {"near-unique",
     "A column with another value in nearly every row, like a name or a number of the row: it can be learned by heart, not generalised."},
    {"PSI",
     "The population stability index between then and now: below 0.1 stable, above 0.25 changed."},
    {"KS",
     "The Kolmogorov-Smirnov statistic: the largest distance between two cumulative distributions, from 0 to 1."},
    {"Jensen-Shannon",
     "How different two distributions are: 0 the same, ln 2 (0.69) without any overlap."},
    {"chi-square", "Whether counts differ from what chance alone would give."},
    {"p-value",
     "How often chance alone would give a difference at least as large; it says nothing about how large the difference is."},
};

const char *explain_term(Str term)
{
    for (size_t i = 0; i < COUNT(terms); i++)
        if (str_eq_nocase(term, str_of(terms[i].term))) return terms[i].text;
    return NULL;
}

void explain_all(StrBuf *out)
{
    for (size_t i = 0; i < COUNT(terms); i++)
        strbuf_addf(out, "%-20s %s\n", terms[i].term, terms[i].text);
}

int explain_nearest(Str term, Str *ret_name)
{
    Str names[COUNT(terms)];
    for (size_t i = 0; i < COUNT(terms); i++) names[i] = str_of(terms[i].term);
    int at = str_nearest(term, names, COUNT(terms));
    if (at >= 0) *ret_name = names[at];
    return at;
}
