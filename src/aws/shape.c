/* Looking things up in the compiled shapes. */

#include "aws/shape.h"

#include <stdlib.h>

const ServiceShape *service_shape_find(Str name)
{
    for (const ServiceShape *const *service = service_shapes; *service; service++)
        if (str_is(name, (*service)->name)) return *service;
    return NULL;
}

static int compare_operation(const void *name, const void *operation)
{
    return str_compare(*(const Str *)name, str_of(((const OperationShape *)operation)->name));
}

const OperationShape *operation_shape_find(const ServiceShape *service, Str name)
{
    return bsearch(&name, service->operations, (size_t)service->n_operations,
                   sizeof *service->operations, compare_operation);
}

bool operation_exists(const ServiceShape *service, Str name)
{
    if (operation_shape_find(service, name)) return true;
    for (const char *const *other = service->others; *other; other++)
        if (str_is(name, *other)) return true;
    return false;
}

const Member *member_find(const Shape *structure, Str name)
{
    for (int i = 0; i < structure->n_members; i++)
        if (str_is(name, structure->members[i].name)) return &structure->members[i];
    return NULL;
}
