// Package record writes down what isat must not forget when it is killed: the
// kernel settings that it changes and the addresses that it takes down, before it
// does so, and the entries that an administrator made with arp -s. All end with the
// boot, as the settings, addresses and entries do, and live in files of the runtime
// directory:
//
//	records.json    what isat changed       [Store]
//	addresses.json  addresses it took down  [Addresses]
//	entries.json    administrative entries  [Entries]
//
// A file is replaced as a whole: written beside, flushed to the disk and renamed.
// So it is always either the old or the new one, whenever the process is killed.
// A lock on a file beside it (NAME.lock) lets daemons of several network
// namespaces share a runtime directory.
//
// The life of a setting with one daemon that is killed and another that follows:
//
//	setting   record              event
//	3         -
//	3         old 3, new 0        first daemon: Put
//	0         old 3, new 0        first daemon: sets it; SIGKILL
//	0         old 3, new 1 or 0   second daemon: Put. The first old value stays
//	1         old 3, new 1 or 0   second daemon: sets it; SIGKILL
//	3         -                   isat restore: the value is isat's, puts 3 back
//
// If an administrator had set it to 7 meanwhile, restore would leave the 7 alone.
//
// The package works on Linux only.
package record
