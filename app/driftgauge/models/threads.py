"""Threads that models use beside requests."""

from __future__ import annotations

from threadpoolctl import threadpool_limits


def one_thread() -> threadpool_limits:
    """Return a context in which models that are asked in this thread use one thread of OpenMP.

    Its number of threads is each thread's own. That of BLAS is one for the whole process: a change of it would slow
    the predictions of that time, and two such contexts that overlap could leave it changed.
    """
    return threadpool_limits(1, user_api="openmp")
