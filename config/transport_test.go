package config

import "testing"

func TestOfficialVariables(t *testing.T) {
	t.Parallel()
	c := load(t, nil, []string{
		"MERCURE_PUBLISHER_JWT_KEY=!ChangeThisMercureHubJWTSecretKey!", "MERCURE_PUBLISHER_JWT_ALG=HS512",
		"MERCURE_SUBSCRIBER_JWT_KEY=other", "MERCURE_SUBSCRIBER_JWT_ALG=", "MERCURE_TRANSPORT_URL=bolt:///data/mercure.db?size=7",
	})
	if c.Publisher.Key.Reveal() != "!ChangeThisMercureHubJWTSecretKey!" || c.Publisher.Alg != "HS512" {
		t.Errorf("publisher: %q, %q", c.Publisher.Key.Reveal(), c.Publisher.Alg)
	}
	if c.Subscriber.Key.Reveal() != "other" || c.Subscriber.Alg != "HS256" {
		t.Errorf("subscriber: %q, %q; want an empty variable to count as unset", c.Subscriber.Key.Reveal(), c.Subscriber.Alg)
	}
	if c.Store.URL() != "bolt:///data/mercure.db" || c.History.MaxEvents != 7 {
		t.Errorf("store %q with %d events", c.Store.URL(), c.History.MaxEvents)
	}
}

func TestOwnVariablesComeBeforeOfficialOnes(t *testing.T) {
	t.Parallel()
	c := load(t, nil, keyed("MERCURE_PUBLISHER_JWT_KEY=official", "HUBD_STORE=memory://", "MERCURE_TRANSPORT_URL=bolt://x.db?size=7"))
	if c.Publisher.Key.Reveal() != "publish me" {
		t.Errorf("publisher key = %q", c.Publisher.Key.Reveal())
	}
	if c.Store.URL() != "memory://" || c.History.MaxEvents != 100_000 {
		t.Errorf("store %q with %d events, want the official URL not to count at all", c.Store.URL(), c.History.MaxEvents)
	}
}

func TestTransportURL(t *testing.T) {
	t.Parallel()
	// The forms are those of the official hub's configuration page, "Bolt Adapter" and "transport_url".
	tests := map[string]struct {
		store     string
		maxEvents int64
	}{
		"bolt://mercure.db":                       {"bolt://mercure.db", 100_000},
		"bolt:///var/run/database.db":             {"bolt:///var/run/database.db", 100_000},
		"bolt://database.db?size=1000":            {"bolt://database.db", 1000},
		"bolt://database.db?size=0":               {"bolt://database.db", 0},
		"bolt://d.db?bucket_name=demo&size=1000&": {"bolt://d.db", 1000},
		"bolt://d.db?cleanup_frequency=0.5":       {"bolt://d.db", 100_000},
		"local://local":                           {"memory://", 100_000},
		"null://":                                 {"memory://", 100_000},
	}
	for address, want := range tests {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			c := load(t, nil, keyed("MERCURE_TRANSPORT_URL="+address))
			if c.Store.URL() != want.store || c.History.MaxEvents != want.maxEvents {
				t.Errorf("store %q with %d events, want %q with %d", c.Store.URL(), c.History.MaxEvents, want.store, want.maxEvents)
			}
		})
	}
}

func TestTransportURLOfAnotherStore(t *testing.T) {
	t.Parallel()
	c := load(t, nil, keyed("MERCURE_TRANSPORT_URL=redis://user:hunter2@redis/0"))
	if c.Store.URL() != "redis://user:hunter2@redis/0" {
		t.Errorf("store %q", c.Store.URL())
	}
	found := problems(t, nil, keyed("MERCURE_TRANSPORT_URL=kafka://user:hunter2@kafka"))
	expect(t, found, "store", "its scheme is not known")
}
