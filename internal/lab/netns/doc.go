// Package netns makes Linux network namespaces and runs functions and processes
// in them. They are held by descriptors, not by names: /run/netns is not writable
// in a user namespace, and what only a descriptor holds vanishes with its holder.
//
// On other systems the package is empty.
package netns
