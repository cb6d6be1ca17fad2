// Package persist has the rooms whose saving is measured, and what counts what they save.
//
// It imports the library's room and store packages, and nothing else of the benchmarks.
package persist
