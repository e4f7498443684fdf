/* Runs a generated network on the host: images come in on stdin, every tensor that it makes leaves on stdout.
 *
 * A record is three words {kind, index, bytes} and the bytes: kind 0 what an operation has just made, kind 1 an output
 * after the run.
 */
#include <stdio.h>

#include "subject.h"

static int write_record(uint32_t kind, uint32_t index, const void *values, uint32_t num_bytes)
{
    const uint32_t head[3] = {kind, index, num_bytes};
    return fwrite(head, sizeof head, 1, stdout) == 1 && fwrite(values, num_bytes, 1, stdout) == 1;
}

void ew_trace(uint32_t operation, const void *values, uint32_t num_bytes);

void ew_trace(uint32_t operation, const void *values, uint32_t num_bytes)
{
    (void)write_record(0u, operation, values, num_bytes);
}

/* 1 when a whole image came in. */
static int read_image(void)
{
    for (uint32_t i = 0; i < EW_NUM_INPUTS; ++i) {
        if (fread(ew_subject_input(i), ew_input_bytes[i], 1, stdin) != 1) {
            return 0;
        }
    }
    return 1;
}

int main(void)
{
    while (read_image()) {
        ew_subject_run();
        for (uint32_t i = 0; i < EW_NUM_OUTPUTS; ++i) {
            if (!write_record(1u, i, ew_subject_output(i), ew_output_bytes[i])) {
                return 1;
            }
        }
    }
    return 0;
}
