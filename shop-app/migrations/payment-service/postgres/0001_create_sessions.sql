CREATE TABLE session (
    session_id          VARCHAR(255) PRIMARY KEY,
    workflow_id         VARCHAR(255) NOT NULL UNIQUE,
    client_reference_id VARCHAR(255),
    webhook             TEXT NOT NULL,
    success_url         TEXT NOT NULL,
    cancel_url          TEXT NOT NULL,
    status              VARCHAR(255) NOT NULL
);

CREATE TABLE items (
    item_id     SERIAL PRIMARY KEY,
    description VARCHAR(255) NOT NULL,
    quantity    INTEGER NOT NULL CHECK (quantity > 0),
    price_cents BIGINT NOT NULL CHECK (price_cents >= 0),
    session_id  VARCHAR(255) NOT NULL REFERENCES session (session_id)
);

CREATE INDEX items_of_a_session ON items (session_id);

-- The service's ledger: a row is money that a customer has paid. Times are milliseconds since 1970, UTC.
CREATE TABLE charges (
    charge_id    SERIAL PRIMARY KEY,
    session_id   VARCHAR(255) NOT NULL REFERENCES session (session_id),
    amount_cents BIGINT NOT NULL CHECK (amount_cents >= 0),
    charged_at   BIGINT NOT NULL
);
