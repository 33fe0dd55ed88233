package deps
import (
 _ "github.com/alecthomas/kong"
 _ "github.com/coreos/go-systemd/v22/daemon"
 _ "github.com/coreos/go-systemd/v22/activation"
 _ "github.com/gaissmai/bart"
 _ "github.com/google/go-cmp/cmp"
 _ "github.com/mdlayher/netlink"
 _ "github.com/pelletier/go-toml/v2"
 _ "github.com/rogpeppe/go-internal/testscript"
 _ "github.com/vishvananda/netlink"
 _ "go.uber.org/goleak"
 _ "golang.org/x/net/bpf"
 _ "golang.org/x/sync/errgroup"
 _ "golang.org/x/sys/unix"
 _ "pgregory.net/rapid"
 _ "github.com/prometheus/client_golang/prometheus/promhttp"
)
