# Every target sets up .venv first; `make demo` and `make test` work on a fresh clone.
.PHONY: demo test check bench install help

help:
	@echo "make demo    fit a small network to an STM32F746 on built-in data, end to end"
	@echo "make test    the whole test suite"
	@echo "make check   style, types, room boundaries"
	@echo "make bench   time the demo's artifacts"

install:
	@scripts/install

# One thread: so small a network gains nothing from a second, and loses much where other work shares the cores.
demo: install
	OMP_NUM_THREADS=1 .venv/bin/edgewright fit simple_cnn --data digits --device stm32f746 --max-drop 1.0 --out runs/digits
	@echo "Report: $(CURDIR)/runs/digits/report.html"

test: install
	scripts/test

check: install
	scripts/check

bench: install
	scripts/bench
