"""Mutation testing of the rooms flow, core (the codec) and exec; tools/mutate runs it.

One build holds every mutant of a seeded sample: at each site the mutated source asks whether the
mutant of this run is its own (mutant.h), and PENSTOCK_MUTANT chooses which. sites.py finds the
sites, schemata.py writes the mutated source, sample.py draws, build.py builds, trials.py finds which
tests reach which site, and verdicts.py lets them try to kill each mutant.
"""
