// Package daemon puts the parts of isat together: the host, the takeover, the
// control socket and the configuration.
//
//	configuration ─┐
//	SIGHUP, API ───┤          ┌─ takeover ── kernel
//	               ├─ Daemon ─┼─ host
//	control socket ┘          └─ log, systemd
//
// It runs on Linux only.
package daemon
