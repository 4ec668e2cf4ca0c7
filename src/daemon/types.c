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

    writer_init(&out, 32768);
    if (line->values[FLAG_REFERENCE] == NULL)
        types_write(&out);
    else
        types_write_reference(&out);
    fwrite(writer_slice(&out).data, 1, out.len, stdout);
    writer_fini(&out);
    return EXIT_OK;
}
