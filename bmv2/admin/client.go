package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// ErrRefused is reported when a switch did not do what it was asked for.
var ErrRefused = errors.New("the switch refuses")

// longestAnswer bounds an answer in bytes.
const longestAnswer = 1 << 20

// Client asks the switch that is served at an address, as host:port.
type Client struct{ Address string }

// Ports lists all ports.
func (c Client) Ports(ctx context.Context) (all []Port, err error) {
	err = c.do(ctx, http.MethodGet, "/ports", nil, &all)
	return all, err
}

// Tables lists all tables.
func (c Client) Tables(ctx context.Context) (all []Table, err error) {
	err = c.do(ctx, http.MethodGet, "/tables", nil, &all)
	return all, err
}

// Add connects a port, as port.ParseSpec understands it.
func (c Client) Add(ctx context.Context, spec string) (p Port, err error) {
	body, err := json.Marshal(map[string]string{"port": spec})
	if err != nil {
		return p, err
	}
	err = c.do(ctx, http.MethodPost, "/ports", body, &p)
	return p, err
}

// Remove disconnects a port and returns its last counters.
func (c Client) Remove(ctx context.Context, number uint16) (p Port, err error) {
	err = c.do(ctx, http.MethodDelete, "/ports/"+strconv.Itoa(int(number)), nil, &p)
	return p, err
}

func (c Client) do(ctx context.Context, method, path string, body []byte, out any) error {
	where := url.URL{Scheme: "http", Host: c.Address, Path: path}
	request, err := http.NewRequestWithContext(ctx, method, where.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, longestAnswer))
	if err != nil {
		return fmt.Errorf("%s: %w", where.Redacted(), err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		var f failure
		if json.Unmarshal(text, &f) != nil || f.Error == "" {
			f.Error = response.Status
		}
		return fmt.Errorf("%w: %s", ErrRefused, f.Error)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s: %w", where.Redacted(), err)
	}
	return nil
}
