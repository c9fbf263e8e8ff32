// Portable intrinsics need no instruction set.
#pragma once
#define HASHZOO_TARGET(isa)
