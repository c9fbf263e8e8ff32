#include "core/passes.h"

namespace hashzoo {

std::vector<std::uint64_t> bit_planes(const Codes& database, std::size_t groups, const Control& control) {
    const std::size_t slices = (database.rows + kSliceRows - 1) / kSliceRows;
    const std::size_t words = groups * kGroupPlanes * kSliceWords;
    std::vector<std::uint64_t> planes(slices * words);
    run_blocks(slices, control, [&](Blocks& blocks) {
        for (std::size_t slice; blocks.next(slice);) {
            const std::size_t end = std::min(database.rows, (slice + 1) * kSliceRows);
            std::uint64_t* out = planes.data() + slice * words;
            for (std::size_t i = slice * kSliceRows; i < end; ++i)
                for (std::size_t plane = 0; plane < groups * kGroupPlanes; ++plane)
                    out[plane * kSliceWords + i % kSliceRows / 64] |= (*database.row(i) >> plane & 1) << (i % 64);
        }
    });
    return planes;
}

}  // namespace hashzoo
