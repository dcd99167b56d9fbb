"""Spectra of hyperspectral cubes; figures of these and of temperatures."""
