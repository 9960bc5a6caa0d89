#pragma once
/// MPI for as long as the program runs.
#include <mpi.h>

inline struct mpi_session {
  mpi_session() { MPI_Init(nullptr, nullptr); }
  ~mpi_session() { MPI_Finalize(); }
} const mpi_runs;
