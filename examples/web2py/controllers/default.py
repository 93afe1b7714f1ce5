# Nothing here has changed with the import in models/db.py. But a write lands a moment after its call: a page that shows what it
# has just written takes it from its own hands, not from the database.


def login():
    log_user_event(auth.user_id, "login", {"ip": request.client})
    cache_user_data(auth.user_id, {"plan": "pro"})
    return dict(user_id=auth.user_id)


def add_to_cart():
    session.cart = (session.cart or []) + [{"sku": request.vars.sku, "qty": int(request.vars.qty or 1)}]
    store_session_data(response.session_id, {"cart": session.cart})
    return dict(cart=session.cart)


def history():
    events = MongoManager.get().events.find({"user_id": auth.user_id}).sort("timestamp", -1).limit(20)
    return dict(events=[(event["event_type"], event["timestamp"]) for event in events])
