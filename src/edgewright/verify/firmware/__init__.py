"""Firmware: generated C, built and run in an emulator, counted exactly and fenced into a device's memories."""
