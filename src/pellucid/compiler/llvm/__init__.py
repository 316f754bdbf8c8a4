"""Native code for kernels, through LLVM."""
