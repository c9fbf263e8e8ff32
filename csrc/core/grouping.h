// Which rows of words are equal: trained or short codes, and label sets, repeat.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/search.h"

namespace hashzoo {

struct Grouping {
    std::vector<std::uint32_t> of_row;     // the group of each row; groups are numbered as they appear
    std::vector<std::uint32_t> first_row;  // of each group

    std::size_t size() const { return first_row.size(); }
};

// Rows: at most 2^31.
Grouping group_rows(const Codes& rows, const Control& control);

}  // namespace hashzoo
