#pragma once
#include <string>
#include <vector>

#include "core/kernels.h"

namespace hashzoo {

// The instruction set in use: HASHZOO_ISA at first, else the best one. Throws std::invalid_argument.
const Isa& active_isa();
std::vector<std::string> supported_isas();  // best first
void set_isa(const std::string& name);      // "auto", or one of supported_isas()

}  // namespace hashzoo
