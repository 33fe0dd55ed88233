// Package compat tests what is in compat, in C, where no daemon is needed: the
// header, what the library exports and how it is installed, and the library against
// servers that are no daemon. Those with one are in test/e2e.
package compat
