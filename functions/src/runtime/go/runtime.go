// Package eserverless is what a Go project is built with: it answers for one of the project's functions.
//
// File descriptor 3 is a connection to the service, which speaks HTTP on it, one request after the other. The first is the
// order which function is meant; it is answered with 200, or with 500 and what is wrong. Each that follows is for the
// function: as it is where its type is http, and with {"event": …} as its body where it is cron or event. When the
// connection ends so does this process. runner.ts is the same for Node.
package eserverless

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
)

const (
	connectionFd = 3
	envsPrefix   = "ESERVELESS_"
	longestError = 4000
)

type order struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Declared []string `json:"declared"`
}

type failure struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

type report struct {
	Status string `json:"status"`
	Error  string `json:"error,omitempty"`
}

// Serve answers until the connection ends. The functions are those that the manifest declares, under their names.
func Serve(functions map[string]Typed) {
	file := os.NewFile(connectionFd, "connection")
	conn, err := net.FileConn(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	file.Close()
	reader := bufio.NewReader(conn)
	handler := takeOrder(functions, conn, reader)
	for {
		exchange(conn, reader, handler)
	}
}

// takeOrder answers the first request and gives back what answers the others.
func takeOrder(functions map[string]Typed, conn net.Conn, reader *bufio.Reader) http.HandlerFunc {
	var handler http.HandlerFunc
	exchange(conn, reader, func(w http.ResponseWriter, r *http.Request) {
		var given order
		wrong := &failure{"not_loaded", "the order cannot be read"}
		if json.NewDecoder(r.Body).Decode(&given) == nil {
			handler, wrong = choose(functions, given)
		}
		if wrong != nil {
			answerJSON(w, 500, wrong)
			return
		}
		answerJSON(w, 200, struct{}{})
	})
	return handler
}

// choose finds the function that is meant; without a name, it looks whether every one that is declared is right.
func choose(functions map[string]Typed, given order) (http.HandlerFunc, *failure) {
	for _, name := range given.Declared {
		kind, known := functions[name]
		if !known {
			return nil, &failure{"not_exported", name + ": no such function is declared"}
		}
		if _, wrong := handle(kind.Type, name, kind.Function); wrong != nil {
			return nil, wrong
		}
	}
	if given.Name == "" {
		return nil, nil
	}
	kind, known := functions[given.Name]
	if !known {
		return nil, &failure{"not_exported", given.Name + ": no such function is declared"}
	}
	return handle(given.Type, given.Name, kind.Function)
}

// Typed is a function and the type that the manifest gives it.
type Typed struct {
	Type     string
	Function interface{}
}

func handle(kind string, name string, function interface{}) (http.HandlerFunc, *failure) {
	if kind == "http" {
		switch f := function.(type) {
		case func(http.ResponseWriter, *http.Request):
			return serveHTTP(f), nil
		case http.Handler:
			return serveHTTP(f.ServeHTTP), nil
		}
		return nil, &failure{"not_exported", name + " must be func(w http.ResponseWriter, r *http.Request)"}
	}
	call := toCall(function)
	if call == nil {
		return nil, &failure{"not_exported", name + " must be " + signatures[kind]}
	}
	return serveCall(call), nil
}

var signatures = map[string]string{
	"cron":  "func(envs interface{}), which may give back an error",
	"event": "func(event interface{}, envs interface{}), which may give back an error",
}

// toCall takes a cron or event function; what it gives back is nil where it is neither.
func toCall(function interface{}) func(event, envs interface{}) error {
	switch f := function.(type) {
	case func(interface{}):
		return func(_, envs interface{}) error { f(envs); return nil }
	case func(interface{}) error:
		return func(_, envs interface{}) error { return f(envs) }
	case func(interface{}, interface{}):
		return func(event, envs interface{}) error { f(event, envs); return nil }
	case func(interface{}, interface{}) error:
		return f
	}
	return nil
}

func serveHTTP(function http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer := w.(*answer)
		defer func() {
			thrown := recover()
			if thrown == nil {
				return
			}
			words := describePanic(thrown)
			if answer.isSent {
				os.Exit(2)
			}
			answer.reset()
			w.Header().Set("x-function-threw", "1")
			w.WriteHeader(500)
			io.WriteString(w, words)
		}()
		function(w, r)
	}
}

func serveCall(call func(event, envs interface{}) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Event interface{} `json:"event"`
		}
		err := json.NewDecoder(r.Body).Decode(&body)
		if err == nil {
			err = callSafely(call, body.Event)
		}
		if err != nil {
			answerJSON(w, 200, report{"failed", limit(err.Error())})
			return
		}
		answerJSON(w, 200, report{Status: "completed"})
	}
}

func callSafely(call func(event, envs interface{}) error, event interface{}) (err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			err = fmt.Errorf("%s", describePanic(thrown))
		}
	}()
	err = call(event, envs())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return err
}

func envs() map[string]string {
	all := map[string]string{}
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, envsPrefix) {
			all[name] = value
		}
	}
	return all
}

// describePanic tells all of it on stderr, and gives back its first line.
func describePanic(thrown interface{}) string {
	words := fmt.Sprintf("panic: %v", thrown)
	fmt.Fprintf(os.Stderr, "%s\n%s", words, debug.Stack())
	line, _, _ := strings.Cut(words, "\n")
	return limit(line)
}

func limit(text string) string {
	if len(text) > longestError {
		return text[:longestError]
	}
	return text
}

func answerJSON(w http.ResponseWriter, status int, value interface{}) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(value)
}
