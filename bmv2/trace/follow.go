package trace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// ErrEnded is reported when the switch ends a stream.
var ErrEnded = errors.New("stream ended")

// Follow reads the traces of a switch at an address as host:port and calls emit for each line, until
// the context ends, emit returns an error, or the stream ends. following is called when frames are
// being followed.
func Follow(ctx context.Context, address string, query url.Values, following func(),
	emit func(Line) error) error {
	where := url.URL{Scheme: "http", Host: address, Path: "/trace", RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, where.String(), nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		const longest = 4096
		text, _ := io.ReadAll(io.LimitReader(response.Body, longest))
		return fmt.Errorf("%s: %s: %s", where.Redacted(), response.Status, strings.TrimSpace(string(text)))
	}
	following()
	for in := json.NewDecoder(response.Body); ; {
		var line Line
		err := in.Decode(&line)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", address, err)
		case line.Error != "":
			return fmt.Errorf("%s: %w: %s", address, ErrEnded, line.Error)
		case line.Trace == nil:
			continue
		}
		if err := emit(line); err != nil {
			return err
		}
	}
}
