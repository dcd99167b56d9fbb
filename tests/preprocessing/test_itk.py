"""ITK's number of threads is one while we compute, and afterwards what it was."""

from __future__ import annotations

import threading

import pytest
from SimpleITK import ProcessObject

from hounsfield.preprocessing.itk import one_thread


def failing() -> None:
    with one_thread():
        assert ProcessObject.GetGlobalDefaultNumberOfThreads() == 1
        raise ZeroDivisionError


def test_the_number_is_put_back_also_after_an_error() -> None:
    before = ProcessObject.GetGlobalDefaultNumberOfThreads()
    ProcessObject.SetGlobalDefaultNumberOfThreads(3)
    try:
        with pytest.raises(ZeroDivisionError):
            failing()
        assert ProcessObject.GetGlobalDefaultNumberOfThreads() == 3
    finally:
        ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def test_two_at_once_do_not_keep_each_others_number() -> None:
    """Entered one within the other's time, the second would put back the first one's 1."""
    before = ProcessObject.GetGlobalDefaultNumberOfThreads()
    ProcessObject.SetGlobalDefaultNumberOfThreads(3)
    entered, leave = threading.Event(), threading.Event()

    def first() -> None:
        with one_thread():
            entered.set()
            leave.wait(0.2)

    def second() -> None:
        entered.wait(5)
        with one_thread():
            leave.set()
            threads[0].join(0.5)

    threads = [threading.Thread(target=work) for work in (first, second)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        assert ProcessObject.GetGlobalDefaultNumberOfThreads() == 3
    finally:
        ProcessObject.SetGlobalDefaultNumberOfThreads(before)
