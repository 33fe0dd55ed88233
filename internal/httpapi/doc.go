// Package httpapi is the server half of package api: the daemon's HTTP socket,
// with the rights of INTERFACES section 5, and its read-only form on TCP.
//
//	Unix socket ─ Limit (connections) ─ peer credentials ─┐
//	                                                      ├─ Origin ─ route ─ Rights ─ strict input ─ Backend
//	TCP ──────── Limit (connections) ─ Host check ────────┘
//
// Who asks is known from the connection alone and decided upon before a byte of
// the body is read. Every error that a handler sends is JSON, an [api.Error];
// what net/http refuses by itself, because it is not HTTP, is plain text.
package httpapi
