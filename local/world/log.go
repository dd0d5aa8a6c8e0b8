package world

import (
	"bytes"
	"log"
	"os"
	"sync"
)

// tailLines is how much of the log an error shows.
const tailLines = 20

// logFile is the log of the host and of the simulators' servers.
type logFile struct {
	path string

	mu   sync.Mutex
	file *os.File
}

func openLog(path string) (*logFile, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &logFile{path: path, file: file}, nil
}

func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Write(p)
}

// Close closes the file; what is written afterwards is lost.
func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

func (l *logFile) logger(prefix string) *log.Logger { return log.New(l, prefix+" ", log.LstdFlags) }

// tail returns the last lines, for an error.
func (l *logFile) tail() []byte {
	text, err := os.ReadFile(l.path)
	if err != nil {
		return nil
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-tailLines):], []byte("\n"))
}

// LogTail returns the last lines of the host's log.
func (w *World) LogTail() string { return string(w.hostLog.tail()) }
