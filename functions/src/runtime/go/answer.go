package eserverless

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	wholeBytes = 4096
	sniffBytes = 512
)

// exchange reads one request and answers it. Bodies go both ways at once, which the server of net/http does not let them;
// what the function leaves of the request is read and forgotten. Whatever breaks the connection ends the process.
func exchange(conn net.Conn, reader *bufio.Reader, handler http.HandlerFunc) {
	request, err := http.ReadRequest(reader)
	if err != nil {
		os.Exit(0)
	}
	from, _, _ := strings.Cut(request.Header.Get("X-Forwarded-For"), ",")
	if from = strings.TrimSpace(from); from == "" {
		from = "127.0.0.1"
	}
	request.RemoteAddr = net.JoinHostPort(from, "0")
	// The function may put another in its place.
	body := request.Body
	answer := &answer{header: http.Header{}, out: bufio.NewWriterSize(conn, 32*1024), isHead: request.Method == "HEAD"}
	handler(answer, request)
	answer.finish()
	if _, err := io.Copy(io.Discard, body); err != nil {
		os.Exit(0)
	}
}

// answer is a response on the connection: whole where it is small, else in chunks, or of the length that the function said.
type answer struct {
	header http.Header
	out    *bufio.Writer
	isHead bool
	status int
	// What is not sent yet, before the head is.
	held   []byte
	isSent bool
	// Where the body goes; nil where there is to be none.
	body    io.Writer
	chunked io.WriteCloser
	// How much of what the function said it would say is missing; -1 where it did not.
	left int64
}

func (a *answer) Header() http.Header {
	return a.header
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 && status <= 999 {
		a.status = status
	}
}

func (a *answer) Write(bytes []byte) (int, error) {
	a.WriteHeader(200)
	if !a.isSent && len(a.held)+len(bytes) <= wholeBytes {
		a.held = append(a.held, bytes...)
		return len(bytes), nil
	}
	a.sendHead(false)
	return a.pass(bytes)
}

// Flush sends what there is.
func (a *answer) Flush() {
	a.WriteHeader(200)
	a.sendHead(false)
	a.flush()
}

func (a *answer) reset() {
	a.status, a.held = 0, nil
	for name := range a.header {
		delete(a.header, name)
	}
}

func (a *answer) finish() {
	a.WriteHeader(200)
	a.sendHead(true)
	if a.chunked != nil {
		a.chunked.Close()
		io.WriteString(a.out, "\r\n")
	}
	a.flush()
	// Whoever reads it waits for more.
	if a.left > 0 && a.body != nil {
		fmt.Fprintf(os.Stderr, "the answer has %d bytes less than its content-length\n", a.left)
		os.Exit(2)
	}
}

func (a *answer) sendHead(isWhole bool) {
	if a.isSent {
		return
	}
	a.isSent = true
	a.frame(isWhole)
	text := http.StatusText(a.status)
	fmt.Fprintf(a.out, "HTTP/1.1 %d %s\r\n", a.status, text)
	a.header.Write(a.out)
	io.WriteString(a.out, "\r\n")
	held := a.held
	a.held = nil
	a.pass(held)
}

// frame says how the body's end will be known.
func (a *answer) frame(isWhole bool) {
	header := a.header
	header.Del("Connection")
	header.Del("Transfer-Encoding")
	if header.Get("Date") == "" {
		header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	a.left = -1
	hasNone := a.status == 204 || a.status == 304
	if length, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil && length >= 0 {
		a.left = length
	} else {
		header.Del("Content-Length")
		if isWhole && !hasNone && !a.isHead {
			a.left = int64(len(a.held))
			header.Set("Content-Length", strconv.Itoa(len(a.held)))
		}
	}
	if hasNone || a.isHead {
		return
	}
	if _, isSaid := header["Content-Type"]; !isSaid && len(a.held) > 0 {
		header.Set("Content-Type", http.DetectContentType(a.held[:min(len(a.held), sniffBytes)]))
	}
	a.body = a.out
	if a.left < 0 {
		header.Set("Transfer-Encoding", "chunked")
		a.chunked = httputil.NewChunkedWriter(a.out)
		a.body = a.chunked
	}
}

func (a *answer) pass(bytes []byte) (int, error) {
	if a.body == nil || len(bytes) == 0 {
		return len(bytes), nil
	}
	if a.left >= 0 {
		if int64(len(bytes)) > a.left {
			return 0, http.ErrContentLength
		}
		a.left -= int64(len(bytes))
	}
	written, err := a.body.Write(bytes)
	if err != nil {
		os.Exit(0)
	}
	return written, nil
}

func (a *answer) flush() {
	if a.out.Flush() != nil {
		os.Exit(0)
	}
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}
