// Counts without the stable order: where only the numbers of rows at each distance matter, pairs need not be met.
#pragma once
#include "core/count.h"
#include "core/units.h"

namespace hashzoo {

// Fills out.all and out.relevant by the cheaper of two ways: from a table over all codes, if there are few; from bit
// planes of the database sorted by class. False if neither applies or pays: nothing is written then.
bool histograms(const Codes& query, const Codes& database, std::size_t bits, const Relevance& relevance,
                const std::vector<Unit>& units, const std::int64_t* exclude, const Counts& out,
                const Control& control);

}  // namespace hashzoo
