/* types.c -- see types.h. The texts are those of policy/types.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/types.h"

#include "daemon/exit_code.h"
#include "policy/types.h"

#include <stdio.h>

enum { FLAG_REFERENCE };

const struct command_flag types_flags[] = {
    [FLAG_REFERENCE] = {"reference", NULL, "the same as Markdown, for people"},
    {NULL, NULL, NULL},
};

int types_run(const struct command_line *line)
{
    struct writer out;
    bool is_written;

    writer_init(&out, 32768);
    if (line->values[FLAG_REFERENCE] == NULL)
        types_write(&out);
    else
        types_write_reference(&out);
    is_written = fwrite(writer_slice(&out).data, 1, out.len, stdout) == out.len;
    writer_fini(&out);
    if (is_written && fflush(stdout) == 0)
        return EXIT_OK;
    fprintf(stderr, "nexusd types: cannot write to standard output\n");
    return EXIT_RUNTIME;
}
