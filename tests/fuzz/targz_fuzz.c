#include "format/targz.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    (void)status, (void)kind, (void)ftw;
    return remove(path);
}

/* Unpacks below a folder that holds a link out; what arrives outside is a finding. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char root[] = "/tmp/clary-fuzz-XXXXXX", inside[64], outside[64], link[80];
    if (!mkdtemp(root)) abort();
    snprintf(inside, sizeof inside, "%s/in", root);
    snprintf(outside, sizeof outside, "%s/out", root);
    snprintf(link, sizeof link, "%s/link", inside);
    if (mkdir(inside, 0700) || mkdir(outside, 0700) || symlink(outside, link)) abort();

    Error err = {0};
    targz_unpack_bytes((const char *)data, size, inside, 1 << 20, &err);

    if (unlink(link)) abort();   /* it is still there */
    if (rmdir(outside)) abort(); /* and nothing went through it */
    nftw(inside, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (rmdir(root)) abort(); /* nor beside it */
    return 0;
}
