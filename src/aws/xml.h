#ifndef CLARY_AWS_XML_H
#define CLARY_AWS_XML_H

/* A small tree of an XML document: elements without prefix, texts of leaves, attributes as written. */

#include "base/arena.h"
#include "base/error.h"

enum {
    XML_BYTES_MAX = 4 << 20,
    XML_DEPTH_MAX = 32,
    XML_ATTRIBUTES_MAX = 16,
    XML_NODES_MAX = 1 << 18,
};

typedef struct XmlNode XmlNode;
struct XmlNode {
    Str name, text;
    XmlNode *first, *last, *next; /* children; the next of the parent's */
    XmlNode *attributes;          /* chained by next */
    int n;                        /* children */
};

/* UTF-8, no document type, no entities but the five and numbers. */
bool xml_parse(Str bytes, Arena *arena, XmlNode **ret_root, Error *err);

#endif
