package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
)

// Client talks to the daemon on one Unix socket. Its methods are safe for
// concurrent use and take as long as their context allows. A refused request is
// an [*Error]; without a daemon the error wraps the errno of connect(2), such as
// syscall.ECONNREFUSED or syscall.ENOENT.
type Client struct {
	http *http.Client
}

// maxIdle bounds the connections kept for later. A command needs one; who sends
// requests side by side gets no more from more of them.
const maxIdle = 16

// NewClient returns a client of the daemon that listens at socketPath. It does
// not connect yet.
func NewClient(socketPath string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socketPath)
	}
	return &Client{&http.Client{
		Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: maxIdle, DisableCompression: true},
		// The daemon never redirects; following would hide a mistake.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close closes the connections that are not in use. The client may be used
// again afterwards.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call sends body (nil: none) as JSON and reads the answer into result (nil:
// ignored). It returns the status of a request that succeeded.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, body, result any) (int, error) {
	answer, err := c.send(ctx, method, path, query, body)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if result != nil {
		if err := json.NewDecoder(answer.Body).Decode(result); err != nil {
			return 0, fmt.Errorf("reading the answer to %s %s: %w", method, path, err)
		}
	}
	// Read to the end, or the connection cannot be used again.
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return 0, fmt.Errorf("reading the answer to %s %s: %w", method, path, err)
	}
	return answer.StatusCode, nil
}

// send returns the answer of a request that succeeded; the caller closes its
// body.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, body any) (*http.Response, error) {
	var text io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		text = bytes.NewReader(b)
	}
	// The host is not used: the dialer knows the socket.
	target := "http://isat" + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, target, text)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking the daemon: %w", unwrapURL(err))
	}
	if answer.StatusCode/100 != 2 {
		defer answer.Body.Close()
		return nil, readError(answer)
	}
	return answer, nil
}

// unwrapURL drops the method and the invented host that net/http puts before an
// error.
func unwrapURL(err error) error {
	if u, ok := err.(*url.Error); ok {
		return u.Err
	}
	return err
}

// maxErrorText bounds what is read of an answer that is an error.
const maxErrorText = 1 << 20

// readError makes the error of an answer that is one. What is not from isat's
// handlers, such as net/http's own "400 Bad Request", is quoted.
func readError(answer *http.Response) error {
	e := &Error{Status: answer.StatusCode}
	text, _ := io.ReadAll(io.LimitReader(answer.Body, maxErrorText)) // what came is all there is to say
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if kind == "application/json" && json.Unmarshal(text, e) == nil {
		return e
	}
	e.Text = string(bytes.TrimSpace(text))
	return e
}

// query returns the parameters that are not empty; pairs are name, value.
func query(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

// addrText returns the text of ip, "" for the zero address.
func addrText(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}
