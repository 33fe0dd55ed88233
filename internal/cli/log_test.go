package cli

import (
	"bytes"
	"log/slog"
	"testing"
)

func TestLineHandler(t *testing.T) {
	const notice = slog.LevelInfo + 2
	for _, test := range []struct {
		name     string
		journald bool
		log      func(*slog.Logger)
		want     string
	}{
		{"a message alone", false, func(l *slog.Logger) { l.Info("arp: runt packet") }, "arp: runt packet\n"},
		{"attributes", false, func(l *slog.Logger) { l.Warn("link down", "if", "eth0", "after", "3 s") }, "link down if=eth0 after=\"3 s\"\n"},
		{"of the logger", false, func(l *slog.Logger) { l.With("if", "eth0").Error("gone", "n", 1) }, "gone if=eth0 n=1\n"},
		{"in a group", false, func(l *slog.Logger) { l.WithGroup("g").Info("x", "msg", "inner") }, "x g.msg=inner\n"},
		{"below the level", false, func(l *slog.Logger) { l.Debug("x") }, ""},
		{"two", false, func(l *slog.Logger) { l.Info("a", "k", 1); l.Info("b") }, "a k=1\nb\n"},
		{"journald: error", true, func(l *slog.Logger) { l.Error("x") }, "<3>x\n"},
		{"journald: warning", true, func(l *slog.Logger) { l.Warn("x") }, "<4>x\n"},
		{"journald: notice", true, func(l *slog.Logger) { l.Log(t.Context(), notice, "x") }, "<5>x\n"},
		{"journald: info", true, func(l *slog.Logger) { l.Info("x") }, "<6>x\n"},
	} {
		var out bytes.Buffer
		test.log(slog.New(newLineHandler(&out, slog.LevelInfo, test.journald)))
		if got := out.String(); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	if got := severity(slog.LevelDebug); got != 7 {
		t.Errorf("severity of debug: %d, want 7", got)
	}
}
