package takeover

import (
	"errors"
	"syscall"
	"testing"
)

func TestCheckRelease(t *testing.T) {
	tests := []struct {
		release string
		ok      bool
	}{
		{"5.15.0-91-generic", false},
		{"4.19.0", false},
		{"5.16.0", true},
		{"5.16-rc1", true},
		{"6.1.0-13-amd64", true},
		{"10.0.0", true},
		{"unknown", true},
	}
	for _, tt := range tests {
		if err := checkRelease(tt.release); (err == nil) != tt.ok || err != nil && !errors.Is(err, syscall.EOPNOTSUPP) {
			t.Errorf("release %s: error %v, want ok %v", tt.release, err, tt.ok)
		}
	}
	if err := checkKernel(); err != nil {
		t.Errorf("the kernel that runs this test: %v", err)
	}
}
