// Package docs has no code: it holds the pages of this folder to the code, by its tests.
//
//   - Every code block of guide.md that names a file is written into a module of its own, vetted, and its tests are run.
//   - Every excerpt in README.md and persistence.md is part of the file that it names.
//   - Every test that README.md names exists, and every row of its feature table names one or says that the thing is missing.
//   - Every default in the tables of both is the one that the documentation of the field states.
//   - Every fuzz target is in CONTRIBUTING.md, and every relative link leads to a file.
//
// It imports the standard library; its tests also import what the guide imports, so that the guide can be built without
// a network.
package docs
