package daemon

import (
	"context"
	"fmt"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// notifyPatience is how long systemd may take to take a message.
const notifyPatience = time.Second

// notify tells systemd a state (sd_notify(3)); without systemd it does nothing.
// The message waits if nobody reads it, which must not keep the daemon from
// handing its interfaces back.
func (d *Daemon) notify(state string) {
	told := make(chan error, 1)
	go func() {
		_, err := sd.SdNotify(false, state)
		told <- err
	}()
	select {
	case err := <-told:
		if err != nil {
			d.log.Warn("telling systemd the state", "error", err)
		}
	case <-time.After(notifyPatience):
		d.log.Warn("telling systemd the state: it does not read what NOTIFY_SOCKET has")
	}
}

// ready says that the interfaces are taken over, or a reload is done.
func (d *Daemon) ready() { d.notify(sd.SdNotifyReady) }

// stopping says that they are handed back.
func (d *Daemon) stopping() { d.notify(sd.SdNotifyStopping) }

// reloading says that a reload has begun, with the time of that as
// Type=notify-reload wants it (systemd.service(5)).
func (d *Daemon) reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		d.log.Warn("reading the monotonic clock", "error", err)
		return
	}
	d.notify(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", sd.SdNotifyReloading, now.Nano()/1000))
}

// watchdog shows systemd that the host makes progress, if it wants to know
// (WatchdogSec=).
func (d *Daemon) watchdog(ctx context.Context) {
	every, err := sd.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		return
	}
	ticker := time.NewTicker(every / 2)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		ping, cancel := context.WithTimeout(ctx, every/2)
		if d.host.Ping(ping) == nil {
			d.notify(sd.SdNotifyWatchdog)
		}
		cancel()
	}
}
