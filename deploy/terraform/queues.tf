# What carries events to the origin, what has uploads copied and read back, and where events are put that the origin never took.
# Producers and consumers are wrangler.toml's, with the Worker.
resource "cloudflare_queue" "events" {
  account_id = var.account_id
  queue_name = "quayside-${var.environment}-events"
}

resource "cloudflare_queue" "tasks" {
  account_id = var.account_id
  queue_name = "quayside-${var.environment}-tasks"
}

resource "cloudflare_queue" "dead_letters" {
  account_id = var.account_id
  queue_name = "quayside-${var.environment}-dead-letters"
  settings = {
    # Long enough for a long weekend without a consumer: 4 days.
    message_retention_period = 345600
  }
}
