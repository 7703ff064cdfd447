#ifndef CLARY_SERVICE_IAM_POLICY_INSIDE_H
#define CLARY_SERVICE_IAM_POLICY_INSIDE_H

/* The compiled form of a policy, between policy.c and evaluate.c. */

#include "service/iam/policy.h"

typedef struct PolicyList {
    const Str *items;
    size_t n;
    bool variables; /* "${" occurs */
} PolicyList;

typedef enum PolicyOperator {
    OPERATOR_STRING,
    OPERATOR_STRING_NOCASE,
    OPERATOR_LIKE,
    OPERATOR_NUMBER,
    OPERATOR_NUMBER_LESS,
    OPERATOR_NUMBER_NOT_LESS,
    OPERATOR_NUMBER_MORE,
    OPERATOR_NUMBER_NOT_MORE,
    OPERATOR_DATE,
    OPERATOR_DATE_LESS,
    OPERATOR_DATE_NOT_LESS,
    OPERATOR_DATE_MORE,
    OPERATOR_DATE_NOT_MORE,
    OPERATOR_BOOL,
    OPERATOR_IP,
    OPERATOR_ARN,
    OPERATOR_NULL,
} PolicyOperator;

typedef enum PolicyQuantifier { FOR_ONE_VALUE, FOR_ALL_VALUES, FOR_ANY_VALUE } PolicyQuantifier;

typedef struct PolicyCondition {
    PolicyOperator op;
    PolicyQuantifier quantifier;
    bool negated, if_exists;
    Str key;
    PolicyList values;
} PolicyCondition;

enum {
    PRINCIPAL_AWS,
    PRINCIPAL_SERVICE,
    PRINCIPAL_FEDERATED,
    PRINCIPAL_CANONICAL,
    PRINCIPAL_KINDS
};

typedef struct PolicyStatement {
    bool deny, not_action, not_resource, not_principal;
    bool has_principal, anybody;
    PolicyList actions, resources, principals[PRINCIPAL_KINDS];
    const PolicyCondition *conditions;
    size_t n_conditions;
} PolicyStatement;

struct Policy {
    Arena arena;
    PolicyStatement *statements;
    size_t n;
    bool old; /* version 2008-10-17: "${" is text */
    bool all;
};

#endif
