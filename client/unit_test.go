package client

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

func TestDelay(t *testing.T) {
	o := (&Options{}).withDefaults().Reconnect
	for n, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 6: 30 * time.Second, 1000: 30 * time.Second} {
		for random, factor := range map[float64]float64{0: 0.8, 0.5: 1, 1: 1.2} {
			got := o.delay(n, random)
			if diff := got - time.Duration(float64(want)*factor); diff < -time.Microsecond || diff > time.Microsecond {
				t.Errorf("attempt %d, random %v: %v, want %v of %v", n, random, got, factor, want)
			}
		}
	}
	for _, tt := range []struct {
		o    ReconnectOptions
		n    int
		want time.Duration
	}{
		{ReconnectOptions{Jitter: -1}, 3, 4 * time.Second},
		{ReconnectOptions{Jitter: -1, Initial: time.Minute}, 1, 30 * time.Second},
		{ReconnectOptions{Jitter: 7}, 1, 0}, // at most the whole wait
		{ReconnectOptions{Jitter: -1, Initial: math.MaxInt64 - 1, Max: math.MaxInt64}, 9, math.MaxInt64},
	} {
		o := (&Options{Reconnect: tt.o}).withDefaults().Reconnect
		if got := o.delay(tt.n, 0); got != tt.want {
			t.Errorf("%+v, attempt %d: %v, want %v", tt.o, tt.n, got, tt.want)
		}
	}
}

func TestQueueBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(3, 100)
		stop, never := make(chan struct{}), make(chan struct{})
		added := 0
		add := func(sizes ...int) {
			for _, size := range sizes {
				go func() {
					if q.push(item{size: size}, stop, never) {
						added++
					}
				}()
				synctest.Wait()
			}
		}
		pop := func(want int) {
			t.Helper()
			if it, ok := q.pop(); !ok || it.size != want {
				t.Fatalf("popped %d, %v, want %d", it.size, ok, want)
			}
			synctest.Wait()
		}
		add(1000) // larger than the queue, but alone
		add(1)
		if added != 1 {
			t.Fatalf("%d items in a queue that is full in bytes", added)
		}
		pop(1000)
		add(2, 3)
		add(4)
		if added != 4 {
			t.Fatalf("%d items were added, want 4: the queue holds 3", added)
		}
		close(stop)
		synctest.Wait()
		if added != 4 {
			t.Fatal("an item that was given up was added")
		}
		q.close(true)
		pop(1)
		pop(2)
		pop(3)
		if _, ok := q.pop(); ok || q.bytes != 0 {
			t.Errorf("a closed queue gives items, or counts %d bytes", q.bytes)
		}
		if q.push(item{}, never, never) {
			t.Error("a closed queue takes items")
		}
	})
}

func TestStatusString(t *testing.T) {
	for s, want := range []string{"idle", "connecting", "open", "reconnecting", "closed", "Status(5)"} {
		if got := Status(s).String(); got != want {
			t.Errorf("Status(%d) is %q, want %q", s, got, want)
		}
	}
}
