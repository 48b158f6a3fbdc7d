// Package converge tests the whole way from a desired state to both servers: random desired states, random mistakes in them, and runs
// that are interrupted anywhere.
package converge
