#ifndef CLARY_EVALUATE_PRINT_H
#define CLARY_EVALUATE_PRINT_H

/* Metrics as text for people and as members of a JSON object. */

#include "evaluate/classification.h"
#include "evaluate/clusters.h"
#include "evaluate/diagnosis.h"
#include "evaluate/ranking.h"
#include "evaluate/regression.h"
#include "evaluate/survival.h"
#include "format/json.h"

/* `names` are the classes' (n_classes of them). */
void classification_text(const Classification *result, const Str *names, bool scores, StrBuf *out);
void classification_json(const Classification *result, const Str *names, bool scores,
                         JsonWriter *json);

void regression_text(const Regression *result, StrBuf *out);
void regression_json(const Regression *result, JsonWriter *json);

/* print_order.c */
void ranking_text(const Ranking *result, StrBuf *out);
void ranking_json(const Ranking *result, JsonWriter *json);

void survival_text(const Survival *result, StrBuf *out);
void survival_json(const Survival *result, JsonWriter *json);

void clusters_text(const Clusters *result, const Str *features, StrBuf *out);
void clusters_json(const Clusters *result, const Str *features, JsonWriter *json);

void diagnosis_json(const Diagnosis *diagnosis, JsonWriter *json); /* as member "diagnosis" */

#endif
