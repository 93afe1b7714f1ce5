# Only for web2py's own server, which ends by SIGKILL (HttpServer.stop in gluon/main.py): without this, what was called in the last
# tenth of a second is lost at each restart. gunicorn and uwsgi end as programs do; there, leave this file out.

import gluon.main
import longshore_producer


def stop_when_sent(self, stoplogging=False, stop=gluon.main.HttpServer.stop, close=longshore_producer.close):
    # 5 s at most.
    close(5)
    stop(self, stoplogging)


# Models run for each request, and this is for the first.
if gluon.main.HttpServer.stop.__name__ != "stop_when_sent":
    gluon.main.HttpServer.stop = stop_when_sent
