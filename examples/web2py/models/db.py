# web2py runs each model for each request, in one environment with the controller: what is imported here, controllers can call.
#
# The queue is LONGSHORE__QUEUE__URL in the environment of the server, the database for reads MONGO_CACHE_URI, or db.mongo_uri in
# private/appconfig.ini. longshore_producer.configure(queue_url=...) may stand here instead: again with the same settings it does nothing.

# Was: from mongo_helper import MongoManager, cache_user_data, log_user_event, store_session_data
from longshore_producer import MongoManager, cache_user_data, log_user_event, store_session_data
